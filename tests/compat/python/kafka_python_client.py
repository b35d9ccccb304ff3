"""kafka-python against the broker at argv[1]: one function for each thing that programs do with Kafka.

The same file runs with 2.x, which speaks old versions of the protocol, and with 3.x, which speaks the flexible ones; where
their interfaces differ, `NEW` tells. Every function makes topics and groups of its own.
"""

import sys
import threading
import time
import uuid

import kafka
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient, NewPartitions, NewTopic
from kafka.errors import KafkaError, MessageSizeTooLargeError, ProducerFencedError, TopicAlreadyExistsError
from kafka.structs import OffsetAndMetadata

BOOTSTRAP = sys.argv[1]
NEW = not kafka.__version__.startswith("2.")
ADMIN = KafkaAdminClient(bootstrap_servers=BOOTSTRAP)
PATIENCE_S = 30


def unique(name):
    return f"{name}-{uuid.uuid4().hex[:8]}"


def new_topic(name, partitions=1, **config):
    topic = unique(name)
    config = {key.replace("_", "."): value for key, value in config.items()}
    ADMIN.create_topics([NewTopic(topic, partitions, 1, topic_configs=config)])
    return topic


def new_producer(**settings):
    return KafkaProducer(bootstrap_servers=BOOTSTRAP, **settings)


def new_consumer(*topics, group=None, **settings):
    defaults = {"auto_offset_reset": "earliest", "enable_auto_commit": False}
    return KafkaConsumer(*topics, bootstrap_servers=BOOTSTRAP, group_id=group, **{**defaults, **settings})


def take(consumer, count):
    """So many records, in the order in which they come.

    A poll of 3.x that ends while an assignment comes in may forget it: a second is long enough.
    """
    records = []
    deadline = time.monotonic() + PATIENCE_S
    while len(records) < count:
        assert time.monotonic() < deadline, f"{len(records)} of {count} records came"
        for batch in consumer.poll(1000, max_records=count - len(records)).values():
            records.extend(batch)
    return records


def from_start(topic, partition=0, **settings):
    consumer = new_consumer(**settings)
    consumer.assign([TopicPartition(topic, partition)])
    consumer.seek_to_beginning()
    return consumer


def read_committed(topic):
    """The values up to the end that read_committed sees now."""
    where = TopicPartition(topic, 0)
    consumer = from_start(topic, isolation_level="read_committed")
    end = consumer.end_offsets([where])[where]
    values = []
    deadline = time.monotonic() + PATIENCE_S
    while consumer.position(where) < end:
        assert time.monotonic() < deadline, f"at {consumer.position(where)} of {end}"
        for batch in consumer.poll(200).values():
            values.extend(record.value.decode() for record in batch)
    consumer.close()
    return values


def expect(topic, values):
    """The topic holds these committed values; the last of them may come to light a moment after their commit was answered."""
    wait_until(lambda: is_all(values, read_committed(topic)), [], f"{values} in {topic}")


def is_all(values, seen):
    assert seen == values[: len(seen)], f"{seen} is no beginning of {values}"
    return seen == values


def fill(topic, values, partition=0):
    producer = new_producer()
    sent = [producer.send(topic, value.encode(), partition=partition) for value in values]
    for future in sent:
        future.get(PATIENCE_S)
    producer.close()


def records_keep_all_their_parts():
    topic = new_topic("parts")
    producer = new_producer(acks="all")
    headers = [("a", b"1"), ("a", b"2"), ("empty", b"")]
    sent = producer.send(topic, b"value", b"key", headers=headers, timestamp_ms=1234567890123).get(PATIENCE_S)
    assert (sent.offset, sent.timestamp) == (0, 1234567890123)
    producer.send(topic, None, b"key", timestamp_ms=1234567890124).get(PATIENCE_S)
    consumer = from_start(topic)
    first, tombstone = take(consumer, 2)
    assert (first.key, first.value, list(first.headers)) == (b"key", b"value", headers)
    assert (first.timestamp, first.timestamp_type) == (1234567890123, 0)
    assert (tombstone.key, tombstone.value, tombstone.offset) == (b"key", None, 1)
    consumer.close()
    producer.close()


def every_compression_comes_back():
    for codec in [None, "gzip", "snappy", "lz4", "zstd"]:
        topic = new_topic(str(codec))
        producer = new_producer(compression_type=codec, linger_ms=50)
        values = [f"{codec} {number} ".encode() * 20 for number in range(300)]
        sent = [producer.send(topic, value) for value in values]
        for future in sent:
            future.get(PATIENCE_S)
        producer.close()
        consumer = from_start(topic)
        assert [record.value for record in take(consumer, 300)] == values
        consumer.close()


def groups_share_and_hand_over():
    topic, group = new_topic("shared", 4), unique("group")
    for partition in range(4):
        fill(topic, [f"{partition}-{number}" for number in range(5)], partition)
    settings = {"group": group, "session_timeout_ms": 6000, "heartbeat_interval_ms": 300}
    first, second = new_consumer(topic, **settings), new_consumer(topic, **settings)
    assert len({record.value for record in take(first, 20)}) == 20
    first.commit()
    wait_until(lambda: owned(first) == 2 and owned(second) == 2, [first, second], "two partitions each")
    assert len(first.assignment() | second.assignment()) == 4
    first.close()
    wait_until(lambda: owned(second) == 4, [second], "all partitions for the one that is left")
    fill(topic, ["more"], 3)
    assert [record.value for record in take(second, 1)] == [b"more"]
    second.close()


def owned(consumer):
    return len(consumer.assignment())


def wait_until(condition, consumers, what):
    """Polls the consumers side by side, as a join needs all of them.

    A poll of 3.x that ends while an assignment comes in may forget it: a second is long enough.
    """
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        polls = [threading.Thread(target=each.poll, args=(1000,)) for each in consumers]
        for poll in polls:
            poll.start()
        for poll in polls:
            poll.join()


def committed_offsets_carry_metadata():
    topic, group = new_topic("commits", 2), unique("group")
    where = TopicPartition(topic, 0)
    fill(topic, [str(number) for number in range(10)])
    consumer = new_consumer(group=group)
    consumer.assign([where])
    consumer.commit({where: OffsetAndMetadata(7, "seven", -1)})
    committed = consumer.committed(where, metadata=True)
    assert (committed.offset, committed.metadata) == (7, "seven"), committed
    assert consumer.committed(TopicPartition(topic, 1)) is None
    consumer.close()
    consumer = new_consumer(topic, group=group)
    assert [record.offset for record in take(consumer, 3)] == [7, 8, 9]
    consumer.close()
    if NEW:
        offsets = ADMIN.list_group_offsets([group])[group]
    else:
        offsets = ADMIN.list_consumer_group_offsets(group)
    assert {part: each.offset for part, each in offsets.items()} == {where: 7}, offsets


def offsets_are_found_by_time_and_by_seek():
    topic = new_topic("times")
    where = TopicPartition(topic, 0)
    producer = new_producer()
    for number in range(10):
        producer.send(topic, str(number).encode(), timestamp_ms=1_000_000 + 1000 * number).get(PATIENCE_S)
    producer.close()
    consumer = from_start(topic)
    asked = [1_000_000, 1_004_500, 1_009_000, 1_009_001]
    found = [consumer.offsets_for_times({where: at})[where] for at in asked]
    assert [each and (each.offset, each.timestamp) for each in found] == [
        (0, 1_000_000),
        (5, 1_005_000),
        (9, 1_009_000),
        None,
    ]
    assert consumer.beginning_offsets([where])[where] == 0 and consumer.end_offsets([where])[where] == 10
    take(consumer, 10)
    assert consumer.position(where) == 10
    consumer.seek(where, 4)
    assert [record.offset for record in take(consumer, 6)] == [4, 5, 6, 7, 8, 9]
    consumer.close()


def idempotent_records_keep_their_order():
    topic = new_topic("idempotent")
    producer = new_producer(enable_idempotence=True, linger_ms=1, batch_size=200)
    for number in range(500):
        producer.send(topic, str(number).encode())
    producer.flush(PATIENCE_S)
    producer.close()
    expect(topic, [str(number) for number in range(500)])


def transactions_commit_and_abort():
    topic = new_topic("transactional")
    producer = new_producer(transactional_id=unique("tx"))
    producer.init_transactions()
    for number in range(6):
        producer.begin_transaction()
        producer.send(topic, f"{number}a".encode())
        producer.send(topic, f"{number}b".encode())
        if number % 3 == 1:
            producer.flush()
            producer.abort_transaction()
        else:
            producer.commit_transaction()
    committed = [f"{number}{half}" for number in (0, 2, 3, 5) for half in "ab"]
    expect(topic, committed)
    producer.begin_transaction()
    producer.send(topic, b"open").get(PATIENCE_S)
    expect(topic, committed)
    consumer = from_start(topic)
    assert take(consumer, 13)[-1].value == b"open"
    consumer.close()
    producer.commit_transaction()
    producer.close()
    expect(topic, committed + ["open"])


def an_old_producer_is_fenced():
    topic, name = new_topic("fenced"), unique("tx")
    old, new = new_producer(transactional_id=name), new_producer(transactional_id=name)
    old.init_transactions()
    old.begin_transaction()
    old.send(topic, b"old").get(PATIENCE_S)
    new.init_transactions()
    try:
        old.commit_transaction()
        raise AssertionError("the old producer was not fenced")
    except KafkaError as refused:
        assert isinstance(refused, ProducerFencedError) or "Fenced" in repr(refused) or "Epoch" in repr(refused), refused
    old.close(timeout=0)
    new.begin_transaction()
    new.send(topic, b"new")
    new.commit_transaction()
    new.close()
    expect(topic, ["new"])


def offsets_are_part_of_a_transaction():
    source, target, group = new_topic("in"), new_topic("out"), unique("group")
    where = TopicPartition(source, 0)
    fill(source, [str(number) for number in range(30)])
    consumer = new_consumer(source, group=group)
    producer = new_producer(transactional_id=unique("tx"))
    producer.init_transactions()
    done, attempt = 0, 0
    while done < 30:
        attempt += 1
        records = take(consumer, 10)
        producer.begin_transaction()
        for record in records:
            producer.send(target, record.value + b"!")
        position = {where: OffsetAndMetadata(records[-1].offset + 1, "", -1)}
        producer.send_offsets_to_transaction(position, consumer.group_metadata() if NEW else group)
        # An abort in 2.x does not get over records that wait to be sent.
        producer.flush()
        if attempt == 2:
            producer.abort_transaction()
            assert consumer.committed(where) == done
            consumer.seek(where, done)
        else:
            producer.commit_transaction()
            done += 10
            # This client does not ask for stable offsets, so it may be told the one before for a moment.
            wait_until(lambda: consumer.committed(where) == done, [], f"the committed offset {done}")
    consumer.close()
    producer.close()
    expect(target, [f"{number}!" for number in range(30)])


def topics_are_administered():
    topic = new_topic("admin", 2, retention_ms="1000000")
    try:
        ADMIN.create_topics([NewTopic(topic, 1, 1)])
        raise AssertionError("a topic was made twice")
    except TopicAlreadyExistsError:
        pass
    assert partitions_of(topic) == 2
    ADMIN.create_partitions({topic: NewPartitions(5)})
    assert partitions_of(topic) == 5
    assert configs_of(topic)["retention.ms"] == "1000000"
    ADMIN.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, {"cleanup.policy": "compact"})])
    assert configs_of(topic)["cleanup.policy"] == "compact"
    # The 2.x client sends all the configurations at once, which resets those that are not named.
    assert (configs_of(topic)["retention.ms"] == "1000000") == NEW
    ADMIN.delete_topics([topic])
    assert topic not in ADMIN.list_topics()


def partitions_of(topic):
    [described] = ADMIN.describe_topics([topic])
    return len(described["partitions"])


def configs_of(topic):
    resource = ConfigResource(ConfigResourceType.TOPIC, topic)
    if NEW:
        configs = ADMIN.describe_configs([resource], config_filter="all")["topic"][topic]
        return {name: config["value"] for name, config in configs.items()}
    [answer] = ADMIN.describe_configs([resource])
    [(error, _, _, _, configs)] = answer.resources
    assert error == 0
    return {config[0]: config[1] for config in configs}


def records_are_deleted():
    topic = new_topic("delete")
    where = TopicPartition(topic, 0)
    fill(topic, [str(number) for number in range(10)])
    deleted = ADMIN.delete_records({where: 6})
    assert deleted[where]["low_watermark"] == 6, deleted
    expect(topic, ["6", "7", "8", "9"])


def groups_are_listed_and_deleted():
    topic, group = new_topic("groups"), unique("group")
    consumer = new_consumer(topic, group=group)
    wait_until(lambda: owned(consumer) == 1, [consumer], "the partition")
    consumer.commit({TopicPartition(topic, 0): OffsetAndMetadata(0, "", -1)})
    assert group in listed_groups()
    assert delete_group(group) == "NonEmptyGroupError"
    consumer.close()
    assert delete_group(group) in ("OK", "NoError")
    assert group not in listed_groups()


def listed_groups():
    if NEW:
        return {each["group_id"] for each in ADMIN.list_groups()}
    return {name for name, _ in ADMIN.list_consumer_groups()}


def delete_group(group):
    if NEW:
        return ADMIN.delete_groups([group])[group]
    [(_, error)] = ADMIN.delete_consumer_groups([group])
    return error.__name__


def a_topic_is_made_when_it_is_written_to():
    topic = unique("auto")
    fill(topic, ["first"])
    expect(topic, ["first"])


def what_is_too_large_is_refused():
    topic = new_topic("small", max_message_bytes="1000")
    producer = new_producer()
    try:
        producer.send(topic, b"x" * 2000).get(PATIENCE_S)
        raise AssertionError("a record was taken that is too large")
    except MessageSizeTooLargeError:
        pass
    producer.close()


CASES = [
    records_keep_all_their_parts,
    every_compression_comes_back,
    groups_share_and_hand_over,
    committed_offsets_carry_metadata,
    offsets_are_found_by_time_and_by_seek,
    idempotent_records_keep_their_order,
    transactions_commit_and_abort,
    an_old_producer_is_fenced,
    offsets_are_part_of_a_transaction,
    topics_are_administered,
    records_are_deleted,
    groups_are_listed_and_deleted,
    a_topic_is_made_when_it_is_written_to,
    what_is_too_large_is_refused,
]

if __name__ == "__main__":
    for case in CASES:
        start = time.monotonic()
        case()
        print(f"  {case.__name__}: ok in {time.monotonic() - start:.1f} s", flush=True)
