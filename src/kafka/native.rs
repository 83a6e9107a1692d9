//! Functions of librdkafka that rdkafka does not offer.
//!
//! They read the headers of a message (rdkafka panics if a name is not UTF-8), give a token to a
//! client that does not ask for one, such as rdkafka's admin client, change the password of a
//! running client, and return whether a consumer is a member of its group, the members of a group,
//! and the ids of topics. Apart from the engine's index, this is the only place with `unsafe`. Each
//! call is in a function that is safe for all arguments.

// A test ensures that `unsafe` is only allowed here and in the engine's index.
#![allow(unsafe_code)]

use std::{
    collections::BTreeMap,
    ffi::{CStr, CString, c_char, c_void},
    ptr, slice,
    time::Duration,
};

use rdkafka::{
    bindings::{
        rd_kafka_AdminOptions_destroy, rd_kafka_AdminOptions_new,
        rd_kafka_AdminOptions_set_request_timeout, rd_kafka_AdminOptions_t,
        rd_kafka_ConsumerGroupDescription_error, rd_kafka_ConsumerGroupDescription_member,
        rd_kafka_ConsumerGroupDescription_member_count, rd_kafka_ConsumerGroupDescription_state,
        rd_kafka_DescribeConsumerGroups, rd_kafka_DescribeConsumerGroups_result_groups,
        rd_kafka_DescribeTopics, rd_kafka_DescribeTopics_result_topics,
        rd_kafka_MemberAssignment_partitions, rd_kafka_MemberDescription_assignment,
        rd_kafka_MemberDescription_group_instance_id, rd_kafka_TopicCollection_destroy,
        rd_kafka_TopicCollection_of_topic_names, rd_kafka_TopicDescription_error,
        rd_kafka_TopicDescription_name, rd_kafka_TopicDescription_topic_id,
        rd_kafka_Uuid_least_significant_bits, rd_kafka_Uuid_most_significant_bits,
        rd_kafka_admin_op_t, rd_kafka_consumer_group_state_t, rd_kafka_error_code,
        rd_kafka_error_destroy, rd_kafka_event_DescribeConsumerGroups_result,
        rd_kafka_event_DescribeTopics_result, rd_kafka_event_destroy, rd_kafka_event_error,
        rd_kafka_event_t, rd_kafka_header_get_all, rd_kafka_headers_t, rd_kafka_mem_free,
        rd_kafka_memberid, rd_kafka_message_headers, rd_kafka_oauthbearer_set_token,
        rd_kafka_queue_destroy, rd_kafka_queue_new, rd_kafka_queue_poll, rd_kafka_queue_t,
        rd_kafka_resp_err_t as Code, rd_kafka_sasl_set_credentials, rd_kafka_t,
    },
    client::{Client, ClientContext, OAuthToken},
    error::RDKafkaErrorCode,
    message::BorrowedMessage,
};

use super::{
    fault::is_gone,
    group::{Group, GroupMember},
};

/// A name and a value.
type Header<'m> = (&'m str, Option<&'m [u8]>);

/// Appends a message's headers to `headers`, in their order. Returns `false` if there are others,
/// which cannot be read or not be written again; those are omitted. librdkafka ends a name at a
/// zero byte.
pub fn headers<'m>(message: &'m BorrowedMessage<'_>, headers: &mut Vec<Header<'m>>) -> bool {
    let mut all: *mut rd_kafka_headers_t = ptr::null_mut();
    // SAFETY: the message belongs to librdkafka and is alive, because it is borrowed, and `all` is
    // ours to write. The value that it is set to belongs to the message and lives as long.
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
        // SAFETY: `all` belongs to the message, as above, and the others are ours to write. An
        // index after the last one is an error, and nothing is written then.
        let code = unsafe {
            rd_kafka_header_get_all(all, number, &raw mut name, &raw mut value, &raw mut length)
        };
        if code != Code::RD_KAFKA_RESP_ERR_NO_ERROR {
            break;
        }
        // SAFETY: without an error, `name` is text that ends in a zero, and `value` is null or has
        // `length` bytes. Both are in `all`, which nothing changes while the message is borrowed.
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

/// Returns whether a consumer is a member of its group, as far as it knows. A consumer that has
/// left has no member id.
pub fn is_member<C: ClientContext>(client: &Client<C>) -> bool {
    // SAFETY: the client is alive, because it is borrowed. The result is null, or text that ends in
    // a zero and that we must free.
    unsafe {
        let id = rd_kafka_memberid(client.native_ptr());
        if id.is_null() {
            return false;
        }
        let is_member = !CStr::from_ptr(id).is_empty();
        rd_kafka_mem_free(client.native_ptr(), id.cast());
        is_member
    }
}

/// Asks a group's coordinator for the members of the group.
pub(super) fn describe_group<C: ClientContext>(
    client: &Client<C>,
    group: &str,
    patience: Duration,
) -> Result<Group, RDKafkaErrorCode> {
    let name = CString::new(group).map_err(|_| RDKafkaErrorCode::InvalidArgument)?;
    let mut names = [name.as_ptr()];
    let about = rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS;
    // SAFETY: the name ends in a zero and is copied in the call; `described` copies what it reads.
    unsafe {
        let ask = |native, options, queue| {
            rd_kafka_DescribeConsumerGroups(
                native,
                names.as_mut_ptr(),
                names.len(),
                options,
                queue,
            );
        };
        answered(client, about, patience, ask, |event| described(event))
    }
}

/// Sends an admin request with `ask`, and reads the response with `read`.
///
/// # Safety
/// `ask` only puts the request into the queue that it is given, with the options that it is given,
/// and does not keep them; `read` keeps nothing of the event.
unsafe fn answered<C: ClientContext, T>(
    client: &Client<C>,
    about: rd_kafka_admin_op_t,
    patience: Duration,
    ask: impl FnOnce(*mut rd_kafka_t, *const rd_kafka_AdminOptions_t, *mut rd_kafka_queue_t),
    read: impl FnOnce(*mut rd_kafka_event_t) -> Result<T, RDKafkaErrorCode>,
) -> Result<T, RDKafkaErrorCode> {
    let patience = i32::try_from(patience.as_millis()).unwrap_or(i32::MAX / 2);
    let mut said = [0; 2];
    // SAFETY: the client is alive, because it is borrowed. The options are copied in the call;
    // `said` is ours to write, and has the given length. The queue and the event are ours, and
    // destroyed once, the queue last; nothing else refers to them.
    unsafe {
        let native = client.native_ptr();
        let queue = rd_kafka_queue_new(native);
        let options = rd_kafka_AdminOptions_new(native, about);
        rd_kafka_AdminOptions_set_request_timeout(options, patience, said.as_mut_ptr(), said.len());
        ask(native, options, queue);
        rd_kafka_AdminOptions_destroy(options);
        // A little longer, so that librdkafka's own timeout error arrives.
        let event = rd_kafka_queue_poll(queue, patience.saturating_add(1000));
        let answer = match event.is_null() {
            true => Err(RDKafkaErrorCode::OperationTimedOut),
            false => read(event),
        };
        if !event.is_null() {
            rd_kafka_event_destroy(event);
        }
        rd_kafka_queue_destroy(queue);
        answer
    }
}

/// Reads the one group in a response.
///
/// # Safety
/// The event belongs to librdkafka, and is alive.
unsafe fn described(event: *mut rd_kafka_event_t) -> Result<Group, RDKafkaErrorCode> {
    // SAFETY: everything that is read here belongs to the event, which nothing changes. Each index
    // below a `count` is valid; texts end in a zero, or are null.
    unsafe {
        let code = rd_kafka_event_error(event);
        if code != Code::RD_KAFKA_RESP_ERR_NO_ERROR {
            return Err(code.into());
        }
        let (result, mut count) = (rd_kafka_event_DescribeConsumerGroups_result(event), 0);
        if result.is_null() {
            return Err(RDKafkaErrorCode::BadMessage);
        }
        let groups = rd_kafka_DescribeConsumerGroups_result_groups(result, &raw mut count);
        if groups.is_null() || count == 0 {
            return Err(RDKafkaErrorCode::BadMessage);
        }
        let group = *groups;
        let error = rd_kafka_ConsumerGroupDescription_error(group);
        if !error.is_null() {
            return Err(rd_kafka_error_code(error).into());
        }
        let stable = rd_kafka_consumer_group_state_t::RD_KAFKA_CONSUMER_GROUP_STATE_STABLE;
        let members = 0..rd_kafka_ConsumerGroupDescription_member_count(group);
        let members = members.map(|number| {
            let member = rd_kafka_ConsumerGroupDescription_member(group, number);
            let instance = rd_kafka_MemberDescription_group_instance_id(member);
            let instance = (!instance.is_null()).then(|| text(instance));
            let assignment = rd_kafka_MemberDescription_assignment(member);
            let mut partitions = Vec::new();
            if !assignment.is_null() {
                let list = rd_kafka_MemberAssignment_partitions(assignment);
                if !list.is_null() && !(*list).elems.is_null() {
                    let count = usize::try_from((*list).cnt).unwrap_or_default();
                    let all = slice::from_raw_parts((*list).elems, count);
                    partitions.extend(all.iter().map(|one| (text(one.topic), one.partition)));
                }
            }
            GroupMember { instance, partitions }
        });
        Ok(Group {
            is_stable: rd_kafka_ConsumerGroupDescription_state(group) == stable,
            members: members.collect(),
        })
    }
}

/// Copies a text of librdkafka.
///
/// # Safety
/// It ends in a zero.
unsafe fn text(text: *const c_char) -> String {
    // SAFETY: the caller ensures it.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

/// Distinguishes a topic from one of the same name that was created after it was deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TopicId(i64, i64);

#[cfg(test)]
impl TopicId {
    /// An id for tests.
    pub(crate) fn of(number: i64) -> Self {
        Self(0, number)
    }
}

/// The ids of topics; `None`: the topic does not exist. Topics about which nothing is known are
/// missing.
pub type TopicIds = BTreeMap<String, Option<TopicId>>;

/// Asks a cluster for the ids of topics. Brokers before version 2.8 have none.
pub fn topic_ids<C: ClientContext>(
    client: &Client<C>,
    topics: &[&str],
    patience: Duration,
) -> Result<TopicIds, RDKafkaErrorCode> {
    let names: Vec<_> = topics.iter().filter_map(|topic| CString::new(*topic).ok()).collect();
    let mut pointers: Vec<_> = names.iter().map(|name| name.as_ptr()).collect();
    if pointers.is_empty() {
        return Ok(TopicIds::new());
    }
    let about = rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS;
    // SAFETY: the names end in a zero and are copied into the collection, which is copied in the
    // call and destroyed once; `identified` copies what it reads.
    unsafe {
        let ask = |native, options, queue| {
            let all =
                rd_kafka_TopicCollection_of_topic_names(pointers.as_mut_ptr(), pointers.len());
            rd_kafka_DescribeTopics(native, all, options, queue);
            rd_kafka_TopicCollection_destroy(all);
        };
        answered(client, about, patience, ask, |event| identified(event))
    }
}

/// Reads the topics in a response.
///
/// # Safety
/// The event belongs to librdkafka, and is alive.
unsafe fn identified(event: *mut rd_kafka_event_t) -> Result<TopicIds, RDKafkaErrorCode> {
    // SAFETY: everything that is read here belongs to the event, which nothing changes. There are
    // `count` topics, and a topic without a response may be null; names end in a zero.
    unsafe {
        let code = rd_kafka_event_error(event);
        if code != Code::RD_KAFKA_RESP_ERR_NO_ERROR {
            return Err(code.into());
        }
        let (result, mut count) = (rd_kafka_event_DescribeTopics_result(event), 0);
        if result.is_null() {
            return Err(RDKafkaErrorCode::BadMessage);
        }
        let topics = rd_kafka_DescribeTopics_result_topics(result, &raw mut count);
        let mut ids = TopicIds::new();
        if topics.is_null() {
            return Ok(ids);
        }
        for topic in slice::from_raw_parts(topics, count).iter().filter(|topic| !topic.is_null()) {
            let error = rd_kafka_TopicDescription_error(*topic);
            let code = match error.is_null() {
                true => Code::RD_KAFKA_RESP_ERR_NO_ERROR,
                false => rd_kafka_error_code(error),
            };
            let id = match code {
                Code::RD_KAFKA_RESP_ERR_NO_ERROR => {
                    let id = rd_kafka_TopicDescription_topic_id(*topic);
                    let (most, least) = (
                        rd_kafka_Uuid_most_significant_bits(id),
                        rd_kafka_Uuid_least_significant_bits(id),
                    );
                    if (most, least) == (0, 0) {
                        continue;
                    }
                    Some(TopicId(most, least))
                }
                code if is_gone(code.into()) => None,
                _ => continue,
            };
            ids.insert(text(rd_kafka_TopicDescription_name(*topic)), id);
        }
        Ok(ids)
    }
}

/// Gives a token with this lifetime to a client. Returns whether the client accepted it.
pub(super) fn give_token<C: ClientContext>(client: &Client<C>, token: &OAuthToken) -> bool {
    let texts = (CString::new(&*token.token), CString::new(&*token.principal_name));
    let (Ok(text), Ok(principal)) = texts else { return false };
    // The buffer for an error text, which always ends in a zero.
    let mut said = [0; 2];
    // SAFETY: the client is alive, because it is borrowed; both texts end in a zero, and are only
    // read during the call; there are no extensions; `said` is ours to write, and has the given
    // length.
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

/// Gives a client another password for its future connections. Returns whether the client accepted
/// it.
pub(super) fn give_password<C: ClientContext>(
    client: &Client<C>,
    user: &str,
    password: &str,
) -> bool {
    let (Ok(user), Ok(password)) = (CString::new(user), CString::new(password)) else {
        return false;
    };
    // SAFETY: the client is alive, because it is borrowed; both texts end in a zero, and are copied
    // in the call.
    let error = unsafe {
        rd_kafka_sasl_set_credentials(client.native_ptr(), user.as_ptr(), password.as_ptr())
    };
    if error.is_null() {
        return true;
    }
    // SAFETY: it is an error of librdkafka that we own, and nothing else refers to it.
    unsafe { rd_kafka_error_destroy(error) };
    false
}
