"""aiokafka against the broker at argv[1]: one function for each thing that programs do with Kafka.

Every function makes topics and groups of its own, so the order does not matter; a plain assert says what is wrong.
"""

import asyncio
import sys
import time
import uuid

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, MessageSizeTooLargeError, ProducerFenced
from aiokafka.structs import OffsetAndMetadata

BOOTSTRAP = sys.argv[1]
PATIENCE_S = 30


def unique(name):
    return f"{name}-{uuid.uuid4().hex[:8]}"


async def admin():
    client = AIOKafkaAdminClient(bootstrap_servers=BOOTSTRAP)
    await client.start()
    return client


async def new_topic(name, partitions=1, **config):
    topic = unique(name)
    config = {key.replace("_", "."): value for key, value in config.items()}
    client = await admin()
    answer = await client.create_topics([NewTopic(topic, partitions, 1, topic_configs=config)])
    assert [error[1] for error in answer.topic_errors] == [0], answer
    await client.close()
    return topic


def new_producer(**settings):
    return AIOKafkaProducer(bootstrap_servers=BOOTSTRAP, **settings)


def new_consumer(*topics, group=None, **settings):
    defaults = {"auto_offset_reset": "earliest", "enable_auto_commit": False}
    return AIOKafkaConsumer(*topics, bootstrap_servers=BOOTSTRAP, group_id=group, **{**defaults, **settings})


async def take(consumer, count):
    """So many records, in the order in which they come."""
    return [await asyncio.wait_for(consumer.getone(), PATIENCE_S) for _ in range(count)]


async def read_committed(topic):
    """The values up to the end that read_committed sees now."""
    where = TopicPartition(topic, 0)
    async with new_consumer(isolation_level="read_committed") as consumer:
        consumer.assign([where])
        await consumer.seek_to_beginning()
        end = (await consumer.end_offsets([where]))[where]
        values = []
        deadline = time.monotonic() + PATIENCE_S
        while await consumer.position(where) < end:
            assert time.monotonic() < deadline, f"no end of {topic}"
            for batch in (await consumer.getmany(timeout_ms=200)).values():
                values.extend(record.value.decode() for record in batch)
        return values


async def expect(topic, values):
    """The topic holds these committed values; the last of them may come to light a moment after their commit was answered."""

    async def is_all():
        seen = await read_committed(topic)
        assert seen == values[: len(seen)], f"{seen} is no beginning of {values}"
        return seen == values

    await eventually(is_all, f"{values} in {topic}")


async def fill(topic, values, partition=0):
    async with new_producer() as producer:
        for value in values:
            await producer.send_and_wait(topic, value.encode(), partition=partition)


async def eventually(condition, what):
    deadline = time.monotonic() + PATIENCE_S
    while not await condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        await asyncio.sleep(0.05)


async def records_keep_all_their_parts():
    topic = await new_topic("parts")
    headers = [("a", b"1"), ("a", b"2"), ("empty", b"")]
    async with new_producer(acks="all") as producer:
        sent = await producer.send_and_wait(topic, b"value", b"key", headers=headers, timestamp_ms=1234567890123)
        assert (sent.offset, sent.timestamp) == (0, 1234567890123)
        await producer.send_and_wait(topic, None, b"key", timestamp_ms=1234567890124)
    async with new_consumer(topic) as consumer:
        first, tombstone = await take(consumer, 2)
    assert (first.key, first.value, list(first.headers)) == (b"key", b"value", headers)
    assert (first.timestamp, first.timestamp_type) == (1234567890123, 0)
    assert (tombstone.key, tombstone.value, tombstone.offset) == (b"key", None, 1)


async def every_compression_comes_back():
    for codec in [None, "gzip", "snappy", "lz4", "zstd"]:
        topic = await new_topic(str(codec))
        values = [f"{codec} {number} ".encode() * 20 for number in range(300)]
        async with new_producer(compression_type=codec, linger_ms=50) as producer:
            await asyncio.gather(*[await producer.send(topic, value) for value in values])
        async with new_consumer(topic) as consumer:
            assert [record.value for record in await take(consumer, 300)] == values


async def groups_share_and_hand_over():
    topic, group = await new_topic("shared", 4), unique("group")
    for partition in range(4):
        await fill(topic, [f"{partition}-{number}" for number in range(5)], partition)
    settings = {"group": group, "session_timeout_ms": 6000, "heartbeat_interval_ms": 200}
    first, second = new_consumer(topic, **settings), new_consumer(topic, **settings)
    await first.start()
    assert len({record.value for record in await take(first, 20)}) == 20
    await first.commit()
    await second.start()

    async def two_each():
        return len(first.assignment()) == 2 and len(second.assignment()) == 2

    await eventually(two_each, "two partitions each")
    assert len(first.assignment() | second.assignment()) == 4
    await first.stop()

    async def all_of_them():
        return len(second.assignment()) == 4

    await eventually(all_of_them, "all partitions for the one that is left")
    await fill(topic, ["more"], 3)
    assert [record.value for record in await take(second, 1)] == [b"more"]
    await second.stop()


async def committed_offsets_carry_metadata():
    topic, group = await new_topic("commits", 2), unique("group")
    where = TopicPartition(topic, 0)
    await fill(topic, [str(number) for number in range(10)])
    async with new_consumer(group=group) as consumer:
        consumer.assign([where])
        await consumer.commit({where: OffsetAndMetadata(7, "seven")})
        assert await consumer.committed(where) == 7
        assert await consumer.committed(TopicPartition(topic, 1)) is None
    client = await admin()
    assert await client.list_consumer_group_offsets(group) == {where: OffsetAndMetadata(7, "seven")}
    assert group in {name for name, _ in await client.list_consumer_groups()}
    await client.close()
    async with new_consumer(topic, group=group) as consumer:
        assert [record.offset for record in await take(consumer, 3)] == [7, 8, 9]


async def offsets_are_found_by_time_and_by_seek():
    topic = await new_topic("times")
    where = TopicPartition(topic, 0)
    async with new_producer() as producer:
        for number in range(10):
            await producer.send_and_wait(topic, str(number).encode(), timestamp_ms=1_000_000 + 1000 * number)
    async with new_consumer(topic) as consumer:
        asked = [1_000_000, 1_004_500, 1_009_000, 1_009_001]
        found = [(await consumer.offsets_for_times({where: at}))[where] for at in asked]
        assert [each and each.offset for each in found] == [0, 5, 9, None], found
        assert (await consumer.beginning_offsets([where]))[where] == 0
        assert (await consumer.end_offsets([where]))[where] == 10
        await take(consumer, 10)
        assert await consumer.position(where) == 10
        consumer.seek(where, 4)
        assert [record.offset for record in await take(consumer, 6)] == [4, 5, 6, 7, 8, 9]


async def idempotent_records_keep_their_order():
    topic = await new_topic("idempotent")
    async with new_producer(enable_idempotence=True, max_batch_size=200) as producer:
        for number in range(500):
            await producer.send(topic, str(number).encode())
    await expect(topic, [str(number) for number in range(500)])


async def transactions_commit_and_abort():
    topic = await new_topic("transactional")
    async with new_producer(transactional_id=unique("tx")) as producer:
        for number in range(6):
            await producer.begin_transaction()
            await producer.send_and_wait(topic, f"{number}a".encode())
            await producer.send_and_wait(topic, f"{number}b".encode())
            if number % 3 == 1:
                await producer.abort_transaction()
            else:
                await producer.commit_transaction()
        committed = [f"{number}{half}" for number in (0, 2, 3, 5) for half in "ab"]
        await expect(topic, committed)
        await producer.begin_transaction()
        await producer.send_and_wait(topic, b"open")
        await expect(topic, committed)
        async with new_consumer(topic) as consumer:
            assert (await take(consumer, 13))[-1].value == b"open"
        await producer.commit_transaction()
    await expect(topic, committed + ["open"])


async def an_old_producer_is_fenced():
    topic, name = await new_topic("fenced"), unique("tx")
    old, new = new_producer(transactional_id=name), new_producer(transactional_id=name)
    await old.start()
    await old.begin_transaction()
    await old.send_and_wait(topic, b"old")
    await new.start()
    try:
        await old.commit_transaction()
        raise AssertionError("the old producer was not fenced")
    except ProducerFenced:
        pass
    async with new.transaction():
        await new.send(topic, b"new")
    await new.stop()
    await old.stop()
    await expect(topic, ["new"])


async def offsets_are_part_of_a_transaction():
    source, target, group = await new_topic("in"), await new_topic("out"), unique("group")
    where = TopicPartition(source, 0)
    await fill(source, [str(number) for number in range(30)])
    async with new_consumer(source, group=group) as consumer, new_producer(transactional_id=unique("tx")) as producer:
        done, attempt = 0, 0
        while done < 30:
            attempt += 1
            records = await take(consumer, 10)
            await producer.begin_transaction()
            for record in records:
                await producer.send_and_wait(target, record.value + b"!")
            await producer.send_offsets_to_transaction({where: records[-1].offset + 1}, group)
            if attempt == 2:
                await producer.abort_transaction()
                assert await consumer.committed(where) == done
                consumer.seek(where, done)
            else:
                await producer.commit_transaction()
                done += 10

                async def moved():
                    return await consumer.committed(where) == done

                # This client does not ask for stable offsets, so it may be told the one before for a moment.
                await eventually(moved, f"the committed offset {done}")
    await expect(target, [f"{number}!" for number in range(30)])


async def topics_are_administered():
    topic = await new_topic("admin", 2, retention_ms="1000000")
    client = await admin()
    answer = await client.create_topics([NewTopic(topic, 1, 1)])
    assert [error[1] for error in answer.topic_errors] == [36], answer
    await client.create_partitions({topic: NewPartitions(5)})
    [described] = await client.describe_topics([topic])
    assert len(described["partitions"]) == 5
    assert (await configs_of(client, topic))["retention.ms"] == "1000000"
    await client.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, {"cleanup.policy": "compact"})])
    assert (await configs_of(client, topic))["cleanup.policy"] == "compact"
    await client.delete_topics([topic])
    assert topic not in await client.list_topics()
    await client.close()


async def configs_of(client, topic):
    [answer] = await client.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
    [(error, _, _, _, configs)] = answer.resources
    assert error == 0
    return {config[0]: config[1] for config in configs}


async def records_are_deleted():
    topic = await new_topic("delete")
    await fill(topic, [str(number) for number in range(10)])
    client = await admin()
    where = TopicPartition(topic, 0)
    assert await client.delete_records({where: RecordsToDelete(6)}) == {where: 6}
    await client.close()
    await expect(topic, ["6", "7", "8", "9"])


async def a_topic_is_made_when_it_is_written_to():
    topic = unique("auto")
    await fill(topic, ["first"])
    await expect(topic, ["first"])


async def what_is_too_large_is_refused():
    topic = await new_topic("small", max_message_bytes="1000")
    async with new_producer() as producer:
        try:
            await producer.send_and_wait(topic, b"x" * 2000)
            raise AssertionError("a record was taken that is too large")
        except MessageSizeTooLargeError:
            pass


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
    a_topic_is_made_when_it_is_written_to,
    what_is_too_large_is_refused,
]

if __name__ == "__main__":
    for case in CASES:
        start = time.monotonic()
        asyncio.run(case())
        print(f"  {case.__name__}: ok in {time.monotonic() - start:.1f} s", flush=True)
