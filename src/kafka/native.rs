//! What librdkafka can do and rdkafka does not offer.
//!
//! A message's headers, read so that no name can stop the program: rdkafka takes every name for UTF-8 and
//! panics where one is not; librdkafka itself does not mind. A token for a client that asks for none, as
//! rdkafka's for questions of administration. And another password for one that runs. This is the one place outside the engine's index with
//! `unsafe`: each call is behind a function that is safe for every argument.

// The index is the other home of it; a test keeps it there and here.
#![allow(unsafe_code)]

use std::{
    ffi::{CStr, CString, c_char, c_void},
    ptr, slice,
};

use rdkafka::{
    bindings::{
        rd_kafka_error_destroy, rd_kafka_header_get_all, rd_kafka_headers_t,
        rd_kafka_message_headers, rd_kafka_oauthbearer_set_token, rd_kafka_resp_err_t as Code,
        rd_kafka_sasl_set_credentials,
    },
    client::{Client, ClientContext, OAuthToken},
    message::BorrowedMessage,
};

/// A name and a value.
type Header<'m> = (&'m str, Option<&'m [u8]>);

/// Appends a message's headers to `headers`, in their order; `false`: there are others, which cannot be
/// read or not be written again. Nothing is kept of those. librdkafka ends a name at a zero byte.
pub fn headers<'m>(message: &'m BorrowedMessage<'_>, headers: &mut Vec<Header<'m>>) -> bool {
    let mut all: *mut rd_kafka_headers_t = ptr::null_mut();
    // SAFETY: the message is librdkafka's own and alive, for it is borrowed, and `all` is ours to write.
    // What it is set to belongs to the message and lives as long.
    match unsafe { rd_kafka_message_headers(message.ptr(), &raw mut all) } {
        Code::RD_KAFKA_RESP_ERR_NO_ERROR => {}
        Code::RD_KAFKA_RESP_ERR__NOENT => return true,
        _ => return false,
    }
    let mut readable = true;
    for number in 0.. {
        let mut name: *const c_char = ptr::null();
        let mut value: *const c_void = ptr::null();
        let mut length = 0;
        // SAFETY: `all` is the message's, as above, and the others are ours to write. A number behind
        // the last is an error, and nothing is written then.
        let code = unsafe {
            rd_kafka_header_get_all(all, number, &raw mut name, &raw mut value, &raw mut length)
        };
        if code != Code::RD_KAFKA_RESP_ERR_NO_ERROR {
            break;
        }
        // SAFETY: without an error, `name` is text that a zero ends, and `value` is null or has
        // `length` bytes. Both stand in `all`, which nobody changes while the message is borrowed.
        let (name, value) = unsafe {
            let value = (!value.is_null()).then(|| slice::from_raw_parts(value.cast(), length));
            (CStr::from_ptr(name), value)
        };
        match name.to_str() {
            Ok(name) => headers.push((name, value)),
            Err(_) => readable = false,
        }
    }
    readable
}

/// Gives a client a token, for as long as that is valid; whether it took it.
pub(super) fn give_token<C: ClientContext>(client: &Client<C>, token: &OAuthToken) -> bool {
    let texts = (CString::new(&*token.token), CString::new(&*token.principal_name));
    let (Ok(text), Ok(principal)) = texts else { return false };
    // What it would say, ends in a zero in any case.
    let mut said = [0; 2];
    // SAFETY: the client is alive, for it is borrowed; both texts end in a zero, and are read in the call
    // alone; there are no extensions; `said` is ours to write, and as long as is told.
    let code = unsafe {
        rd_kafka_oauthbearer_set_token(
            client.native_ptr(),
            text.as_ptr(),
            token.lifetime_ms,
            principal.as_ptr(),
            ptr::null_mut(),
            0,
            said.as_mut_ptr(),
            said.len(),
        )
    };
    code == Code::RD_KAFKA_RESP_ERR_NO_ERROR
}

/// Gives a client another password, for the connections that it makes from now on; whether it took it.
pub(super) fn give_password<C: ClientContext>(
    client: &Client<C>,
    user: &str,
    password: &str,
) -> bool {
    let (Ok(user), Ok(password)) = (CString::new(user), CString::new(password)) else {
        return false;
    };
    // SAFETY: the client is alive, for it is borrowed; both texts end in a zero, and are copied in the call.
    let error = unsafe {
        rd_kafka_sasl_set_credentials(client.native_ptr(), user.as_ptr(), password.as_ptr())
    };
    if error.is_null() {
        return true;
    }
    // SAFETY: it is an error of librdkafka's, which is ours, and nobody else has it.
    unsafe { rd_kafka_error_destroy(error) };
    false
}
