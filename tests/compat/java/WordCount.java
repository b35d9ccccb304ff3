// A word count of Kafka Streams with exactly_once_v2, which kills itself in the middle and is started again.
// Invariant: `feed` writes lines whose words are known; `count` counts until all are counted, or until it has seen so many
// lines, when it halts the process without closing anything; `check` reads the counts as read_committed and compares each word's
// last count with the known one, and its counts with 1, 2, 3, ...: none is left out and none comes twice.

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.LongDeserializer;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.state.KeyValueStore;

public final class WordCount {
    private static final int LINES = 2000;
    private static final String[] WORDS = {"ox", "bee", "cat", "dog", "eel", "fox", "gnu"};
    private static final Duration PATIENCE = Duration.ofSeconds(90);

    private static String bootstrap;
    private static String name;

    public static void main(String[] args) throws Exception {
        bootstrap = args[1];
        name = args[2];
        switch (args[0]) {
            case "feed" -> feed();
            case "count" -> count(Integer.parseInt(args[3]));
            case "check" -> check();
            default -> throw new IllegalArgumentException(args[0]);
        }
    }

    private static String line(int number) {
        return WORDS[number % WORDS.length] + " " + WORDS[(number / 3) % WORDS.length];
    }

    private static Properties properties() {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", bootstrap);
        return properties;
    }

    private static void feed() throws Exception {
        try (Admin admin = Admin.create(properties())) {
            short one = 1;
            admin.createTopics(List.of(new NewTopic(name + "-lines", 2, one), new NewTopic(name + "-counts", 2, one))).all().get();
        }
        try (var producer = new KafkaProducer<>(properties(), new StringSerializer(), new StringSerializer())) {
            for (int number = 0; number < LINES; number++) {
                producer.send(new ProducerRecord<>(name + "-lines", Integer.toString(number), line(number)));
            }
        }
    }

    private static void count(int haltAfter) throws Exception {
        Properties properties = properties();
        properties.put(StreamsConfig.APPLICATION_ID_CONFIG, name);
        properties.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
        properties.put(StreamsConfig.DEFAULT_KEY_SERDE_CLASS_CONFIG, Serdes.StringSerde.class);
        properties.put(StreamsConfig.DEFAULT_VALUE_SERDE_CLASS_CONFIG, Serdes.StringSerde.class);
        properties.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 50);
        properties.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 0);
        properties.put(StreamsConfig.STATE_DIR_CONFIG, System.getProperty("java.io.tmpdir") + "/" + name);
        properties.put("auto.offset.reset", "earliest");
        properties.put("max.poll.records", 50);
        // What was killed is missed soon.
        properties.put("session.timeout.ms", 6000);
        properties.put("heartbeat.interval.ms", 500);
        AtomicInteger seen = new AtomicInteger();
        StreamsBuilder builder = new StreamsBuilder();
        builder.<String, String>stream(name + "-lines")
                .peek((key, line) -> {
                    if (seen.incrementAndGet() == haltAfter) {
                        Runtime.getRuntime().halt(9);
                    }
                })
                .flatMapValues(line -> List.of(line.split(" ")))
                .groupBy((key, word) -> word)
                .count(Materialized.<String, Long, KeyValueStore<Bytes, byte[]>>as("counts"))
                .toStream()
                .to(name + "-counts", Produced.with(Serdes.String(), Serdes.Long()));
        try (KafkaStreams streams = new KafkaStreams(builder.build(), properties)) {
            streams.start();
            readCounts(2 * LINES);
        }
    }

    private static void check() {
        Map<String, Long> expected = new TreeMap<>();
        for (int number = 0; number < LINES; number++) {
            for (String word : line(number).split(" ")) {
                expected.merge(word, 1L, Long::sum);
            }
        }
        Map<String, Long> counts = new TreeMap<>();
        for (ConsumerRecord<String, Long> record : readCounts(2 * LINES)) {
            long last = counts.getOrDefault(record.key(), 0L);
            if (record.value() != last + 1) {
                throw new AssertionError(record + " follows " + last);
            }
            counts.put(record.key(), record.value());
        }
        if (!counts.equals(expected)) {
            throw new AssertionError(counts + " instead of " + expected);
        }
        System.out.println("counts are right: " + counts);
    }

    /** All committed counts, once there are as many as expected; then there must be no more. */
    private static List<ConsumerRecord<String, Long>> readCounts(int expected) {
        Properties properties = properties();
        properties.put("isolation.level", "read_committed");
        List<ConsumerRecord<String, Long>> records = new ArrayList<>();
        try (var consumer = new KafkaConsumer<>(properties, new StringDeserializer(), new LongDeserializer())) {
            List<TopicPartition> partitions =
                    List.of(new TopicPartition(name + "-counts", 0), new TopicPartition(name + "-counts", 1));
            consumer.assign(partitions);
            consumer.seekToBeginning(partitions);
            long deadline = System.nanoTime() + PATIENCE.toNanos();
            while (records.size() < expected) {
                if (System.nanoTime() > deadline) {
                    throw new AssertionError(records.size() + " of " + expected + " counts came");
                }
                consumer.poll(Duration.ofMillis(100)).forEach(records::add);
            }
            consumer.poll(Duration.ofMillis(200)).forEach(records::add);
        }
        if (records.size() != expected) {
            throw new AssertionError(records.size() + " counts instead of " + expected);
        }
        return records;
    }
}
