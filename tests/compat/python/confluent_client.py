"""confluent-kafka (librdkafka) against the broker at argv[1]: one function for each thing that programs do with Kafka.

Every function makes topics and groups of its own, so the order does not matter; a plain assert says what is wrong.
"""

import sys
import time
import uuid

from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    ConsumerGroupState,
    ConsumerGroupTopicPartitions,
    KafkaError,
    KafkaException,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    OffsetSpec,
    ResourceType,
)

BOOTSTRAP = sys.argv[1]
ADMIN = AdminClient({"bootstrap.servers": BOOTSTRAP})
PATIENCE_S = 30


def unique(name):
    return f"{name}-{uuid.uuid4().hex[:8]}"


def result(futures):
    """The results of an admin call, by what was asked for; raises what the broker refused."""
    return {key: future.result(PATIENCE_S) for key, future in futures.items()}


def new_topic(name, partitions=1, **config):
    topic = unique(name)
    config = {key.replace("_", "."): value for key, value in config.items()}
    result(ADMIN.create_topics([NewTopic(topic, partitions, 1, config=config)]))
    return topic


def new_producer(**settings):
    settings = {key.replace("_", "."): value for key, value in settings.items()}
    return Producer({"bootstrap.servers": BOOTSTRAP, **settings})


def new_consumer(group=None, **settings):
    settings = {key.replace("_", "."): value for key, value in settings.items()}
    defaults = {
        "bootstrap.servers": BOOTSTRAP,
        "group.id": group or unique("group"),
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
    }
    return Consumer({**defaults, **settings})


def take(consumer, count):
    """So many records, in the order in which they come."""
    records = []
    deadline = time.monotonic() + PATIENCE_S
    while len(records) < count:
        assert time.monotonic() < deadline, f"{len(records)} of {count} records came"
        record = consumer.poll(0.1)
        if record is None:
            continue
        assert record.error() is None, record.error()
        records.append(record)
    return records


def read_all(topic, isolation="read_committed", partition=0):
    """The values that are there now, up to the end that this isolation level sees."""
    consumer = new_consumer(isolation_level=isolation, enable_partition_eof=True)
    consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING)])
    values = []
    deadline = time.monotonic() + PATIENCE_S
    while True:
        assert time.monotonic() < deadline, f"no end of {topic}"
        record = consumer.poll(0.1)
        if record is None:
            continue
        if record.error() is None:
            values.append(record.value().decode())
        elif record.error().code() == KafkaError._PARTITION_EOF:
            consumer.close()
            return values
        else:
            raise KafkaException(record.error())


def expect(topic, values):
    """The topic holds these committed values; the last of them may come to light a moment after their commit was answered."""
    wait_until(lambda: is_all(values, read_all(topic)), f"{values} in {topic}")


def is_all(values, seen):
    assert seen == values[: len(seen)], f"{seen} is no beginning of {values}"
    return seen == values


def fill(topic, values, partition=0):
    producer = new_producer()
    for value in values:
        producer.produce(topic, value, partition=partition)
    assert producer.flush(PATIENCE_S) == 0


def records_keep_all_their_parts():
    topic = new_topic("parts")
    delivered = []

    def on_delivery(error, record):
        assert error is None, error
        delivered.append(record.offset())

    producer = new_producer(acks="all")
    headers = [("a", b"1"), ("a", b"2"), ("empty", b""), ("null", None)]
    producer.produce(topic, b"value", b"key", headers=headers, timestamp=1234567890123, on_delivery=on_delivery)
    producer.produce(topic, None, b"key", timestamp=1234567890124, on_delivery=on_delivery)
    producer.produce(topic, b"", None, timestamp=1234567890125, on_delivery=on_delivery)
    assert producer.flush(PATIENCE_S) == 0
    assert delivered == [0, 1, 2]
    consumer = new_consumer()
    consumer.assign([TopicPartition(topic, 0, 0)])
    first, tombstone, empty = take(consumer, 3)
    assert (first.key(), first.value(), first.headers()) == (b"key", b"value", headers)
    assert first.timestamp() == (1, 1234567890123)
    assert (tombstone.key(), tombstone.value(), tombstone.timestamp()) == (b"key", None, (1, 1234567890124))
    assert (empty.key(), empty.value()) == (None, b"")
    consumer.close()


def append_time_is_the_broker_s():
    topic = new_topic("append", message_timestamp_type="LogAppendTime")
    before = int(time.time() * 1000)
    producer = new_producer()
    producer.produce(topic, b"value", timestamp=1)
    producer.flush(PATIENCE_S)
    consumer = new_consumer()
    consumer.assign([TopicPartition(topic, 0, 0)])
    [record] = take(consumer, 1)
    kind, timestamp = record.timestamp()
    assert kind == 2 and before - 1000 <= timestamp <= time.time() * 1000 + 1000
    consumer.close()


def every_compression_comes_back():
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"]:
        topic = new_topic(codec)
        producer = new_producer(compression_type=codec, linger_ms=50)
        values = [f"{codec} {number} ".encode() * 20 for number in range(500)]
        for value in values:
            producer.produce(topic, value)
        assert producer.flush(PATIENCE_S) == 0
        consumer = new_consumer()
        consumer.assign([TopicPartition(topic, 0, 0)])
        assert [record.value() for record in take(consumer, 500)] == values
        consumer.close()


def groups_share_and_hand_over():
    for strategy in ["range", "cooperative-sticky"]:
        topic, group = new_topic("shared", 4), unique("group")
        for partition in range(4):
            fill(topic, [f"{partition}-{number}" for number in range(5)], partition)
        settings = {"partition_assignment_strategy": strategy, "session_timeout_ms": 6000}
        first, second = new_consumer(group, **settings), new_consumer(group, **settings)
        first.subscribe([topic])
        seen = {record.value() for record in take(first, 20)}
        assert len(seen) == 20
        first.commit(asynchronous=False)
        second.subscribe([topic])
        wait_until(lambda: all(poll_quietly(each) == 2 for each in (first, second)), "two partitions each")
        owned = {(part.topic, part.partition) for each in (first, second) for part in each.assignment()}
        assert len(owned) == 4, owned
        description = ADMIN.describe_consumer_groups([group])[group].result(PATIENCE_S)
        assert description.state == ConsumerGroupState.STABLE and len(description.members) == 2
        assert description.partition_assignor == strategy
        first.close()
        wait_until(lambda: poll_quietly(second) == 4, "all partitions for the one that is left")
        fill(topic, ["more"], 3)
        assert [record.value() for record in take(second, 1)] == [b"more"]
        second.close()


def poll_quietly(consumer):
    """Lets the consumer do what it must; how many partitions it owns."""
    record = consumer.poll(0.05)
    assert record is None or record.error() is None, record.error()
    return len(consumer.assignment())


def wait_until(condition, what):
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}"


def static_members_come_back_without_a_rebalance():
    topic, group = new_topic("static", 2), unique("group")
    settings = {"group_instance_id": "one", "session_timeout_ms": 30000}
    member = new_consumer(group, **settings)
    member.subscribe([topic])
    wait_until(lambda: poll_quietly(member) == 2, "both partitions")
    before = member.memberid()
    member.close()
    described = ADMIN.describe_consumer_groups([group])[group].result(PATIENCE_S)
    assert [each.group_instance_id for each in described.members] == ["one"], described.members
    again = new_consumer(group, **settings)
    again.subscribe([topic])
    wait_until(lambda: poll_quietly(again) == 2, "both partitions again")
    assert again.memberid() != before
    again.close()


def committed_offsets_carry_metadata():
    topic, group = new_topic("commits", 2), unique("group")
    fill(topic, [str(number) for number in range(10)])
    consumer = new_consumer(group)
    consumer.commit(offsets=[TopicPartition(topic, 0, 7, metadata="seven")], asynchronous=False)
    seven, none = consumer.committed([TopicPartition(topic, 0), TopicPartition(topic, 1)], PATIENCE_S)
    assert (seven.offset, seven.metadata) == (7, "seven")
    assert none.offset == -1001
    consumer.subscribe([topic])
    assert [record.offset() for record in take(consumer, 3)] == [7, 8, 9]
    consumer.close()
    listed = ADMIN.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)])
    offsets = listed[group].result(PATIENCE_S).topic_partitions
    assert [(each.partition, each.offset) for each in offsets] == [(0, 7)]
    altered = ADMIN.alter_consumer_group_offsets([ConsumerGroupTopicPartitions(group, [TopicPartition(topic, 0, 2)])])
    altered[group].result(PATIENCE_S)
    consumer = new_consumer(group)
    assert consumer.committed([TopicPartition(topic, 0)], PATIENCE_S)[0].offset == 2
    consumer.close()


def offsets_are_found_by_time_and_by_seek():
    topic = new_topic("times")
    producer = new_producer()
    for number in range(10):
        producer.produce(topic, str(number), timestamp=1_000_000 + 1000 * number)
        producer.flush(PATIENCE_S)
    consumer = new_consumer()
    asked = [1_000_000, 1_004_500, 1_009_000, 1_009_001]
    found = [consumer.offsets_for_times([TopicPartition(topic, 0, at)], PATIENCE_S)[0].offset for at in asked]
    assert found == [0, 5, 9, -1], found
    assert consumer.get_watermark_offsets(TopicPartition(topic, 0), PATIENCE_S) == (0, 10)
    consumer.assign([TopicPartition(topic, 0, 0)])
    take(consumer, 10)
    consumer.seek(TopicPartition(topic, 0, 4))
    assert [record.offset() for record in take(consumer, 6)] == [4, 5, 6, 7, 8, 9]
    consumer.close()
    where = TopicPartition(topic, 0)
    specs = [(OffsetSpec.earliest(), 0), (OffsetSpec.latest(), 10), (OffsetSpec.max_timestamp(), 9)]
    for spec, offset in specs:
        assert ADMIN.list_offsets({where: spec})[where].result(PATIENCE_S).offset == offset


def idempotent_records_keep_their_order():
    topic = new_topic("idempotent")
    producer = new_producer(enable_idempotence=True, linger_ms=1, batch_num_messages=10)
    for number in range(1000):
        producer.produce(topic, str(number))
        producer.poll(0)
    assert producer.flush(PATIENCE_S) == 0
    expect(topic, [str(number) for number in range(1000)])


def transactions_commit_and_abort():
    topic = new_topic("transactional")
    producer = new_producer(transactional_id=unique("tx"))
    producer.init_transactions(PATIENCE_S)
    for number in range(6):
        producer.begin_transaction()
        producer.produce(topic, f"{number}a")
        producer.produce(topic, f"{number}b")
        if number % 3 == 1:
            producer.flush(PATIENCE_S)
            producer.abort_transaction(PATIENCE_S)
        else:
            producer.commit_transaction(PATIENCE_S)
    committed = [f"{number}{half}" for number in (0, 2, 3, 5) for half in "ab"]
    expect(topic, committed)
    assert len(read_all(topic, "read_uncommitted")) == 12
    producer.begin_transaction()
    producer.produce(topic, "open")
    producer.flush(PATIENCE_S)
    expect(topic, committed)
    assert read_all(topic, "read_uncommitted")[-1] == "open"
    producer.commit_transaction(PATIENCE_S)
    expect(topic, committed + ["open"])


def an_old_producer_is_fenced():
    topic, name = new_topic("fenced"), unique("tx")
    old = new_producer(transactional_id=name)
    old.init_transactions(PATIENCE_S)
    old.begin_transaction()
    old.produce(topic, "old")
    old.flush(PATIENCE_S)
    new = new_producer(transactional_id=name)
    new.init_transactions(PATIENCE_S)
    try:
        old.commit_transaction(PATIENCE_S)
        raise AssertionError("the old producer was not fenced")
    except KafkaException as refused:
        assert refused.args[0].code() in (KafkaError._FENCED, KafkaError.PRODUCER_FENCED), refused
    new.begin_transaction()
    new.produce(topic, "new")
    new.commit_transaction(PATIENCE_S)
    expect(topic, ["new"])


def offsets_are_part_of_a_transaction():
    source, target, group = new_topic("in"), new_topic("out"), unique("group")
    fill(source, [str(number) for number in range(30)])
    consumer = new_consumer(group)
    consumer.subscribe([source])
    producer = new_producer(transactional_id=unique("tx"))
    producer.init_transactions(PATIENCE_S)
    done, attempt = 0, 0
    while done < 30:
        attempt += 1
        records = take(consumer, 10)
        producer.begin_transaction()
        for record in records:
            producer.produce(target, record.value() + b"!")
        position = [TopicPartition(source, 0, records[-1].offset() + 1)]
        producer.send_offsets_to_transaction(position, consumer.consumer_group_metadata(), PATIENCE_S)
        if attempt == 2:
            producer.abort_transaction(PATIENCE_S)
            [back] = consumer.committed([TopicPartition(source, 0)], PATIENCE_S)
            assert back.offset == done
            consumer.seek(TopicPartition(source, 0, done))
        else:
            producer.commit_transaction(PATIENCE_S)
            done += 10
            assert consumer.committed([TopicPartition(source, 0)], PATIENCE_S)[0].offset == done
    consumer.close()
    expect(target, [f"{number}!" for number in range(30)])


def topics_are_administered():
    topic = new_topic("admin", 2, retention_ms="1000000")
    again = ADMIN.create_topics([NewTopic(topic, 1, 1)])[topic]
    assert again.exception(PATIENCE_S).args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS
    assert len(ADMIN.list_topics(topic, PATIENCE_S).topics[topic].partitions) == 2
    result(ADMIN.create_partitions([NewPartitions(topic, 5)]))
    assert len(ADMIN.list_topics(topic, PATIENCE_S).topics[topic].partitions) == 5
    resource = ConfigResource(ResourceType.TOPIC, topic)
    config = result(ADMIN.describe_configs([resource]))[resource]
    assert config["retention.ms"].value == "1000000" and not config["retention.ms"].is_default
    assert config["cleanup.policy"].value == "delete" and config["cleanup.policy"].is_default
    change = ConfigEntry("cleanup.policy", "compact", incremental_operation=AlterConfigOpType.SET)
    unset = ConfigEntry("retention.ms", None, incremental_operation=AlterConfigOpType.DELETE)
    result(ADMIN.incremental_alter_configs([ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[change, unset])]))
    config = result(ADMIN.describe_configs([resource]))[resource]
    assert config["cleanup.policy"].value == "compact" and config["retention.ms"].is_default
    result(ADMIN.delete_topics([topic]))
    assert topic not in ADMIN.list_topics(timeout=PATIENCE_S).topics


def records_are_deleted():
    topic = new_topic("delete")
    fill(topic, [str(number) for number in range(10)])
    where = TopicPartition(topic, 0, 6)
    [deleted] = result(ADMIN.delete_records([where])).values()
    assert deleted.low_watermark == 6
    expect(topic, ["6", "7", "8", "9"])


def groups_are_listed_and_deleted():
    topic, group = new_topic("groups"), unique("group")
    consumer = new_consumer(group)
    consumer.subscribe([topic])
    wait_until(lambda: poll_quietly(consumer) == 1, "the partition")
    consumer.commit(offsets=[TopicPartition(topic, 0, 0)], asynchronous=False)
    assert group in {each.group_id for each in ADMIN.list_consumer_groups().result(PATIENCE_S).valid}
    refused = ADMIN.delete_consumer_groups([group])[group].exception(PATIENCE_S)
    assert refused.args[0].code() == KafkaError.NON_EMPTY_GROUP
    consumer.close()
    result(ADMIN.delete_consumer_groups([group]))
    assert group not in {each.group_id for each in ADMIN.list_consumer_groups().result(PATIENCE_S).valid}


def a_topic_is_made_when_it_is_written_to():
    topic = unique("auto")
    fill(topic, ["first"])
    expect(topic, ["first"])


def what_is_too_large_is_refused():
    topic = new_topic("small", max_message_bytes="1000")
    errors = []
    producer = new_producer()
    producer.produce(topic, b"x" * 2000, on_delivery=lambda error, _: errors.append(error))
    producer.flush(PATIENCE_S)
    assert [error.code() for error in errors] == [KafkaError.MSG_SIZE_TOO_LARGE], errors


def a_compacted_topic_takes_no_record_without_a_key():
    topic = new_topic("compacted", cleanup_policy="compact")
    errors = []
    producer = new_producer()
    producer.produce(topic, b"value", on_delivery=lambda error, _: errors.append(error))
    producer.flush(PATIENCE_S)
    assert errors[0] is not None and errors[0].code() == KafkaError.INVALID_RECORD, errors


CASES = [
    records_keep_all_their_parts,
    append_time_is_the_broker_s,
    every_compression_comes_back,
    groups_share_and_hand_over,
    static_members_come_back_without_a_rebalance,
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
    a_compacted_topic_takes_no_record_without_a_key,
]

if __name__ == "__main__":
    for case in CASES:
        start = time.monotonic()
        case()
        print(f"  {case.__name__}: ok in {time.monotonic() - start:.1f} s", flush=True)
