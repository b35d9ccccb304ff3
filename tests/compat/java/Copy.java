// Flink SQL copies a topic into another, exactly once, is killed after a checkpoint and goes on from it.
// Invariant: `feed` writes numbers; `copy` copies them with a checkpoint every 200 ms, and halts the process without closing
// anything once a checkpoint is there and so many rows were copied (0: copies to the end), beginning from the newest checkpoint
// there is; `check` reads the copy as read_committed: every number is there once, in order.

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Properties;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Stream;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.table.api.EnvironmentSettings;
import org.apache.flink.table.api.TableEnvironment;
import org.apache.flink.table.functions.ScalarFunction;
import org.apache.flink.kafka.shaded.org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.flink.kafka.shaded.org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.flink.kafka.shaded.org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.flink.kafka.shaded.org.apache.kafka.common.TopicPartition;
import org.apache.flink.kafka.shaded.org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.flink.kafka.shaded.org.apache.kafka.common.serialization.StringSerializer;

public final class Copy {
    private static final int ROWS = 3000;
    private static final Duration PATIENCE = Duration.ofSeconds(60);

    private static String bootstrap;
    private static String name;

    public static void main(String[] args) throws Exception {
        bootstrap = args[1];
        name = args[2];
        switch (args[0]) {
            case "feed" -> feed();
            case "count" -> copy(Integer.parseInt(args[3]));
            case "check" -> check();
            default -> throw new IllegalArgumentException(args[0]);
        }
        // Flink leaves threads behind.
        System.exit(0);
    }

    private static Path checkpoints() {
        return Path.of(System.getProperty("java.io.tmpdir"), name);
    }

    /** The newest complete checkpoint. */
    static Optional<Path> newestCheckpoint(Path folder) throws IOException {
        if (!Files.exists(folder)) {
            return Optional.empty();
        }
        try (Stream<Path> files = Files.walk(folder)) {
            return files.filter(file -> file.endsWith("_metadata"))
                    .map(Path::getParent)
                    .max(java.util.Comparator.comparingInt(chk -> Integer.parseInt(chk.getFileName().toString().substring(4))));
        } catch (java.io.UncheckedIOException vanished) {
            // An old checkpoint was removed while its folder was read.
            return Optional.empty();
        }
    }

    /** Lets a row pass every millisecond, and ends the process when it is time. */
    public static final class Pace extends ScalarFunction {
        private final int haltAfter;
        private final String folder;
        private int seen;

        public Pace(int haltAfter, String folder) {
            this.haltAfter = haltAfter;
            this.folder = folder;
        }

        public Long eval(Long number) throws IOException {
            LockSupport.parkNanos(1_000_000);
            seen++;
            if (haltAfter > 0 && seen >= haltAfter && seen % 50 == 0 && newestCheckpoint(Path.of(folder)).isPresent()) {
                Runtime.getRuntime().halt(9);
            }
            return number;
        }
    }

    private static Properties properties() {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", bootstrap);
        return properties;
    }

    private static void feed() {
        try (var producer = new KafkaProducer<>(properties(), new StringSerializer(), new StringSerializer())) {
            for (int number = 0; number < ROWS; number++) {
                producer.send(new ProducerRecord<>(name + "-in", "{\"n\": " + number + "}"));
            }
        }
    }

    private static void copy(int haltAfter) throws Exception {
        Configuration configuration = new Configuration();
        configuration.setString("parallelism.default", "1");
        configuration.setString("execution.checkpointing.interval", "200ms");
        configuration.setString("execution.checkpointing.dir", checkpoints().toUri().toString());
        configuration.setString("execution.checkpointing.externalized-checkpoint-retention", "RETAIN_ON_CANCELLATION");
        configuration.setString("restart-strategy.type", "none");
        Optional<Path> from = newestCheckpoint(checkpoints());
        if (haltAfter == 0 && from.isEmpty()) {
            throw new AssertionError("it was not killed after a checkpoint");
        }
        from.ifPresent(path -> configuration.setString("execution.state-recovery.path", path.toUri().toString()));
        TableEnvironment tables =
                TableEnvironment.create(EnvironmentSettings.newInstance().inStreamingMode().withConfiguration(configuration).build());
        tables.createTemporarySystemFunction("pace", new Pace(haltAfter, checkpoints().toString()));
        String kafka = "'connector' = 'kafka', 'format' = 'json', 'properties.bootstrap.servers' = '" + bootstrap + "', ";
        tables.executeSql("CREATE TABLE numbers (n BIGINT) WITH (" + kafka + "'topic' = '" + name + "-in', "
                + "'properties.group.id' = '" + name + "', 'scan.startup.mode' = 'earliest-offset')");
        tables.executeSql("CREATE TABLE copy (n BIGINT) WITH (" + kafka + "'topic' = '" + name + "-out', "
                + "'sink.delivery-guarantee' = 'exactly-once', 'sink.transactional-id-prefix' = '" + name + "')");
        tables.executeSql("INSERT INTO copy SELECT pace(n) FROM numbers");
        rows();
    }

    /** The committed rows, once there are as many as were written; or more, if some are there twice. */
    private static List<String> rows() {
        Properties properties = properties();
        properties.put("isolation.level", "read_committed");
        List<String> found = new ArrayList<>();
        try (var consumer = new KafkaConsumer<>(properties, new StringDeserializer(), new StringDeserializer())) {
            TopicPartition partition = new TopicPartition(name + "-out", 0);
            consumer.assign(List.of(partition));
            consumer.seekToBeginning(List.of(partition));
            long deadline = System.nanoTime() + PATIENCE.toNanos();
            while (found.size() < ROWS) {
                if (System.nanoTime() > deadline) {
                    throw new AssertionError(found.size() + " of " + ROWS + " rows came");
                }
                consumer.poll(Duration.ofMillis(100)).forEach(record -> found.add(record.value()));
            }
            consumer.poll(Duration.ofMillis(200)).forEach(record -> found.add(record.value()));
        }
        return found;
    }

    private static void check() {
        List<String> found = rows();
        for (int number = 0; number < found.size(); number++) {
            if (!found.get(number).equals("{\"n\":" + number + "}")) {
                throw new AssertionError(found.get(number) + " instead of row " + number + ", of " + found.size());
            }
        }
        if (found.size() != ROWS) {
            throw new AssertionError(found.size() + " rows instead of " + ROWS);
        }
        System.out.println("the copy is right: " + found.size() + " rows");
    }
}
