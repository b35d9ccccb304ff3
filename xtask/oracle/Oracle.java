// Runs SQL files, or lists of SQL expressions, on a real Apache Flink and writes what Flink answered beside them.
// Invariant: streaming mode unless a file says `-- flink: batch`, parallelism 1, UTC; every file has a table environment of its own, and several run at a time; a
// statement that fails becomes an `error:` line and the next one runs. Values are written as Flink casts them to STRING, except: NULL for a null, bytes as
// x'..', timestamps with all digits of their precision, maps ordered by the text of their keys, and control characters and the backslash escaped.
// Does not compare: the text is the golden file. The format is described in src/oracle/golden.rs.

import java.io.IOException;
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.LocalTime;
import java.time.Period;
import java.time.ZoneId;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.core.execution.JobClient;
import org.apache.flink.runtime.minicluster.MiniCluster;
import org.apache.flink.runtime.minicluster.MiniClusterConfiguration;
import org.apache.flink.runtime.minicluster.RpcServiceSharing;
import org.apache.flink.table.api.EnvironmentSettings;
import org.apache.flink.table.api.ExplainDetail;
import org.apache.flink.table.api.TableEnvironment;
import org.apache.flink.table.api.TableResult;
import org.apache.flink.table.catalog.Column;
import org.apache.flink.table.types.logical.ArrayType;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.logical.MapType;
import org.apache.flink.table.types.logical.MultisetType;
import org.apache.flink.table.types.logical.utils.LogicalTypeChecks;
import org.apache.flink.types.Row;
import org.apache.flink.util.CloseableIterator;

public final class Oracle {
    private static final int EXPRESSIONS_PER_QUERY = 24;
    /** A file with this line asks what Flink answers over bounded inputs only. */
    private static final String BATCH = "-- flink: batch";
    private static final String UNBOUNDED = "the statement did not end in time";

    private final MiniCluster cluster;
    private final boolean explain;
    private final long secondsPerStatement;
    private final ScheduledExecutorService watchdog = Executors.newSingleThreadScheduledExecutor(task -> {
        Thread thread = new Thread(task, "watchdog");
        thread.setDaemon(true);
        return thread;
    });

    private Oracle(MiniCluster cluster, boolean explain, long secondsPerStatement) {
        this.cluster = cluster;
        this.explain = explain;
        this.secondsPerStatement = secondsPerStatement;
    }

    public static void main(String[] args) throws Exception {
        boolean expressions = List.of(args).contains("--expressions");
        boolean explain = false;
        long seconds = 120;
        List<Path> files = new ArrayList<>();
        for (String arg : args) {
            if (arg.equals("--expressions")) {
                continue;
            } else if (arg.equals("--explain")) {
                explain = true;
            } else if (arg.startsWith("--seconds=")) {
                seconds = Long.parseLong(arg.substring("--seconds=".length()));
            } else {
                files.add(Path.of(arg).toAbsolutePath().normalize());
            }
        }
        MiniClusterConfiguration cluster = new MiniClusterConfiguration.Builder()
                .setConfiguration(clusterConfiguration())
                .setNumTaskManagers(1)
                .setNumSlotsPerTaskManager(32)
                .setRpcServiceSharing(RpcServiceSharing.SHARED)
                .build();
        try (MiniCluster running = new MiniCluster(cluster)) {
            running.start();
            Oracle oracle = new Oracle(running, explain, seconds);
            // Plans are printed: those of one file after those of another.
            int threads = explain ? 1 : Runtime.getRuntime().availableProcessors();
            ExecutorService workers = Executors.newFixedThreadPool(threads);
            List<Future<String>> summaries = new ArrayList<>();
            for (Path file : files) {
                summaries.add(workers.submit(() -> oracle.answer(file, expressions)));
            }
            workers.shutdown();
            for (Future<String> summary : summaries) {
                System.out.println(summary.get());
            }
        }
    }

    private String answer(Path file, boolean expressions) throws Exception {
        long start = System.nanoTime();
        String summary = expressions ? expressions(file) : statements(file);
        double took = (System.nanoTime() - start) / 1e9;
        return String.format(Locale.ROOT, "%s: %s in %.1f s", file, summary, took);
    }

    private static Configuration clusterConfiguration() {
        Configuration configuration = new Configuration();
        configuration.setString("rest.address", "127.0.0.1");
        configuration.setString("rest.bind-address", "127.0.0.1");
        configuration.setString("rest.port", "0");
        configuration.setString("restart-strategy.type", "disable");
        configuration.setString("taskmanager.memory.network.min", "64mb");
        configuration.setString("taskmanager.memory.network.max", "64mb");
        configuration.setString("taskmanager.memory.managed.size", "256mb");
        return configuration;
    }

    /** A table environment whose jobs run on the one cluster of this process. */
    private TableEnvironment environment(boolean batch) throws Exception {
        Configuration configuration = new Configuration();
        configuration.setString("execution.target", "remote");
        configuration.setString("rest.address", "127.0.0.1");
        configuration.setString("rest.port", String.valueOf(cluster.getRestAddress().get().getPort()));
        configuration.setString("parallelism.default", "1");
        configuration.setString("restart-strategy.type", "disable");
        configuration.setString("execution.attached", "true");
        configuration.setString("table.local-time-zone", "UTC");
        EnvironmentSettings.Builder settings = EnvironmentSettings.newInstance().withConfiguration(configuration);
        return TableEnvironment.create((batch ? settings.inBatchMode() : settings.inStreamingMode()).build());
    }

    // ---- SQL files ----

    private String statements(Path file) throws Exception {
        String folder = file.getParent().toString();
        String sql = Files.readString(file).replace("${DIR}", folder);
        TableEnvironment table = environment(sql.lines().anyMatch(BATCH::equals));
        StringBuilder out = new StringBuilder();
        int statement = 0;
        int query = 0;
        int errors = 0;
        for (String text : Splitter.split(sql)) {
            statement++;
            Kind kind = Kind.of(text);
            String title = kind == Kind.QUERY ? "-- query " + ++query : "-- statement " + statement;
            String answer;
            try {
                if (explain && (kind == Kind.QUERY || kind == Kind.INSERT)) {
                    System.out.println(title + "\n" + table.explainSql(text, ExplainDetail.CHANGELOG_MODE));
                }
                answer = run(table, kind, text);
            } catch (Throwable error) {
                errors++;
                answer = "error: " + describe(error) + "\n";
            }
            if (!answer.isEmpty()) {
                out.append(out.length() == 0 ? "" : "\n").append(title).append('\n').append(answer);
            }
        }
        write(file, out.toString().replace(folder, "${DIR}"));
        return statement + " statements, " + query + " queries, " + errors + " errors";
    }

    private String run(TableEnvironment table, Kind kind, String text) throws Exception {
        Matcher set = SET.matcher(text);
        Matcher reset = RESET.matcher(text);
        if (set.matches()) {
            table.getConfig().set(set.group(1), set.group(2).replace("''", "'"));
            return "";
        }
        if (reset.matches()) {
            throw new UnsupportedOperationException("RESET is a statement of Flink's client, not of its engine");
        }
        TableResult result = table.executeSql(text);
        if (kind == Kind.INSERT) {
            result.await(secondsPerStatement, TimeUnit.SECONDS);
            return "";
        }
        return kind == Kind.OTHER ? "" : rows(result, table.getConfig().getLocalTimeZone());
    }

    private static final Pattern SET =
            Pattern.compile("SET\\s+'([^']+)'\\s*=\\s*'((?:[^']|'')*)'", Pattern.CASE_INSENSITIVE | Pattern.DOTALL);
    private static final Pattern RESET = Pattern.compile("RESET\\b.*", Pattern.CASE_INSENSITIVE | Pattern.DOTALL);

    /** What a statement is, as far as its result is handled differently. */
    private enum Kind {
        QUERY, INSERT, SHOW, OTHER;

        static Kind of(String statement) {
            String text = statement.replaceFirst("^[\\s(]+", "");
            String word = text.split("\\W", 2)[0].toUpperCase(Locale.ROOT);
            boolean creates = text.matches("(?is)(CREATE|REPLACE)\\b.*\\bTABLE\\b.*\\bAS\\s+(SELECT|WITH)\\b.*");
            return switch (word) {
                case "SELECT", "WITH", "VALUES" -> QUERY;
                case "INSERT", "EXECUTE", "BEGIN" -> INSERT;
                case "SHOW", "DESCRIBE", "DESC" -> SHOW;
                default -> creates ? INSERT : OTHER;
            };
        }
    }

    private String rows(TableResult result, ZoneId zone) throws Exception {
        List<Column> columns = result.getResolvedSchema().getColumns();
        List<LogicalType> types = types(columns);
        Values values = new Values(zone);
        StringBuilder out = new StringBuilder("-- columns: ");
        out.append(columns.stream()
                .map(column -> column.getName() + " " + typeName(column.getDataType().getLogicalType()))
                .collect(Collectors.joining(" | ")));
        out.append('\n');
        // Rows that came before a failure depend on timing: they are no part of the answer.
        for (Row row : collect(result)) {
            out.append(row.getKind().shortString());
            for (int column = 0; column < types.size(); column++) {
                out.append(column == 0 ? " " : " | ").append(values.text(types.get(column), row.getField(column)));
            }
            out.append('\n');
        }
        return out.toString();
    }

    /** All rows of a result; a job that does not end in time is cancelled. */
    private List<Row> collect(TableResult result) throws Exception {
        ScheduledFuture<?> alarm = watchdog.schedule(
                () -> result.getJobClient().ifPresent(JobClient::cancel), secondsPerStatement, TimeUnit.SECONDS);
        List<Row> rows = new ArrayList<>();
        try (CloseableIterator<Row> iterator = result.collect()) {
            iterator.forEachRemaining(rows::add);
        } catch (Exception error) {
            throw alarm.isDone() ? new IllegalStateException(UNBOUNDED) : error;
        } finally {
            alarm.cancel(false);
        }
        return rows;
    }

    // ---- lists of expressions ----

    private String expressions(Path file) throws Exception {
        List<String> expressions = Files.readAllLines(file).stream()
                .map(String::strip)
                .filter(line -> !line.isEmpty() && !line.startsWith("#"))
                .toList();
        TableEnvironment table = environment(false);
        Map<String, String> answers = new HashMap<>();
        List<String> valid = new ArrayList<>();
        for (String expression : expressions) {
            try {
                if (expression.startsWith("SELECT ")) {
                    answers.put(expression, folded(table, expression));
                    continue;
                }
                table.sqlQuery(select(List.of(expression)));
                valid.add(expression);
            } catch (Throwable error) {
                answers.put(expression, "error: " + describe(error));
            }
        }
        for (int from = 0; from < valid.size(); from += EXPRESSIONS_PER_QUERY) {
            int to = Math.min(from + EXPRESSIONS_PER_QUERY, valid.size());
            evaluate(table, valid.subList(from, to), answers);
        }
        StringBuilder out = new StringBuilder();
        int errors = 0;
        for (String expression : expressions) {
            String answer = answers.get(expression);
            errors += answer.startsWith("error: ") ? 1 : 0;
            out.append(expression).append(" => ").append(answer).append('\n');
        }
        write(file, out.toString());
        return expressions.size() + " expressions, " + errors + " errors";
    }

    /** The rows that a query leaves in the end, their columns with ` | ` between: a line of its own in a list of expressions. */
    private String folded(TableEnvironment table, String query) throws Exception {
        TableResult result = table.executeSql(query);
        List<LogicalType> types = types(result.getResolvedSchema().getColumns());
        Values values = new Values(table.getConfig().getLocalTimeZone());
        List<String> rows = new ArrayList<>();
        for (Row row : collect(result)) {
            String text = IntStream.range(0, types.size())
                    .mapToObj(i -> values.text(types.get(i), row.getField(i)))
                    .collect(Collectors.joining(" | "));
            switch (row.getKind()) {
                case INSERT, UPDATE_AFTER -> rows.add(text);
                default -> rows.remove(text);
            }
        }
        rows.sort(null);
        String type = types.stream().map(Oracle::typeName).collect(Collectors.joining(" | "));
        return type + " => " + (rows.isEmpty() ? "no row" : String.join("; ", rows));
    }

    private static String select(List<String> expressions) {
        // The line break ends a comment that an expression may close with.
        return IntStream.range(0, expressions.size())
                .mapToObj(i -> "(" + expressions.get(i) + "\n) AS c" + i)
                .collect(Collectors.joining(", ", "SELECT ", ""));
    }

    /** Evaluates many at once; when that fails, each half on its own, so that one failing expression costs few queries. */
    private void evaluate(TableEnvironment table, List<String> expressions, Map<String, String> answers) {
        try {
            TableResult result = table.executeSql(select(expressions));
            List<LogicalType> types = types(result.getResolvedSchema().getColumns());
            Values values = new Values(table.getConfig().getLocalTimeZone());
            Row row = collect(result).get(0);
            for (int i = 0; i < types.size(); i++) {
                String value = values.text(types.get(i), row.getField(i));
                answers.put(expressions.get(i), typeName(types.get(i)) + " => " + value);
            }
        } catch (Throwable error) {
            int half = expressions.size() / 2;
            if (half == 0) {
                answers.put(expressions.get(0), "error: " + describe(error));
                return;
            }
            evaluate(table, expressions.subList(0, half), answers);
            evaluate(table, expressions.subList(half, expressions.size()), answers);
        }
    }

    // ---- text forms ----

    private static List<LogicalType> types(List<Column> columns) {
        return columns.stream().map(column -> column.getDataType().getLogicalType()).toList();
    }

    private static String typeName(LogicalType type) {
        try {
            return type.asSerializableString();
        } catch (RuntimeException noSerializableForm) {
            return type.asSummaryString();
        }
    }

    private static String escape(String text) {
        StringBuilder out = new StringBuilder();
        for (char c : text.toCharArray()) {
            switch (c) {
                case '\\' -> out.append("\\\\");
                case '\n' -> out.append("\\n");
                case '\r' -> out.append("\\r");
                case '\t' -> out.append("\\t");
                default -> out.append(c < ' ' ? String.format(Locale.ROOT, "\\u%04x", (int) c) : String.valueOf(c));
            }
        }
        return out.toString();
    }

    /** The innermost cause says what is wrong; the layers around it say where Flink noticed. */
    private static String describe(Throwable error) {
        Throwable cause = error;
        while (cause.getCause() != null && cause.getCause() != cause) {
            cause = cause.getCause();
        }
        String message = cause.getMessage() == null ? "" : cause.getMessage().strip();
        // What crosses the cluster boundary arrives as text: `class: message`.
        return cause.getClass().getSimpleName() + ": " + escape(message.lines().findFirst().orElse(""));
    }

    private static void write(Path input, String text) throws IOException {
        String name = input.getFileName().toString();
        int dot = name.lastIndexOf('.');
        Path golden = input.resolveSibling((dot > 0 ? name.substring(0, dot) : name) + ".flink");
        Files.writeString(golden, text, StandardCharsets.UTF_8);
    }

    /** Cuts a script into statements at the semicolons that are not inside a quote, a comment or a statement set. */
    private static final class Splitter {
        static List<String> split(String sql) {
            List<String> statements = new ArrayList<>();
            StringBuilder current = new StringBuilder();
            int i = 0;
            while (i < sql.length()) {
                char c = sql.charAt(i);
                int end = i + 1;
                if (c == '\'' || c == '`' || c == '"') {
                    end = closing(sql, i, String.valueOf(c));
                } else if (sql.startsWith("--", i)) {
                    int line = sql.indexOf('\n', i);
                    i = line < 0 ? sql.length() : line;
                    continue;
                } else if (sql.startsWith("/*", i) && !sql.startsWith("/*+", i)) {
                    current.append(' ');
                    i = closing(sql, i + 1, "*/");
                    continue;
                } else if (c == ';' && !inStatementSet(current)) {
                    add(statements, current);
                    i = end;
                    continue;
                }
                current.append(sql, i, end);
                i = end;
            }
            add(statements, current);
            return statements;
        }

        private static int closing(String sql, int open, String mark) {
            int close = sql.indexOf(mark, open + 1);
            return close < 0 ? sql.length() : close + mark.length();
        }

        private static boolean inStatementSet(StringBuilder text) {
            return text.toString().matches("(?is)\\s*(EXECUTE\\s+|EXPLAIN\\s+)?(BEGIN\\s+)?STATEMENT\\s+SET\\b.*")
                    && !text.toString().matches("(?is).*\\bEND\\s*");
        }

        private static void add(List<String> statements, StringBuilder text) {
            if (!text.toString().isBlank()) {
                statements.add(text.toString().strip());
            }
            text.setLength(0);
        }
    }

    /** The text of values; `zone` is the session's, in which Flink shows points in time. */
    private record Values(ZoneId zone) {
        String text(LogicalType type, Object value) {
            if (value == null) {
                return "NULL";
            }
            return switch (type.getTypeRoot()) {
                case BOOLEAN -> ((Boolean) value) ? "TRUE" : "FALSE";
                case DECIMAL -> ((BigDecimal) value).toPlainString();
                case BINARY, VARBINARY -> "x'" + HexFormat.of().formatHex((byte[]) value) + "'";
                case DATE -> value instanceof LocalDate date ? date.toString() : value.toString();
                case TIME_WITHOUT_TIME_ZONE -> time((LocalTime) value, LogicalTypeChecks.getPrecision(type));
                case TIMESTAMP_WITHOUT_TIME_ZONE -> timestamp((LocalDateTime) value, LogicalTypeChecks.getPrecision(type));
                case TIMESTAMP_WITH_LOCAL_TIME_ZONE ->
                        timestamp(LocalDateTime.ofInstant((Instant) value, zone), LogicalTypeChecks.getPrecision(type));
                case INTERVAL_YEAR_MONTH -> yearMonth(((Period) value).toTotalMonths());
                case INTERVAL_DAY_TIME -> dayTime((Duration) value);
                case ARRAY -> array(((ArrayType) type).getElementType(), value);
                case MAP -> map(((MapType) type).getKeyType(), ((MapType) type).getValueType(), (Map<?, ?>) value);
                case MULTISET -> map(((MultisetType) type).getElementType(), null, (Map<?, ?>) value);
                case ROW, STRUCTURED_TYPE -> value instanceof Row row ? row(type, row) : escape(value.toString());
                default -> escape(value.toString());
            };
        }

        private String timestamp(LocalDateTime value, int precision) {
            return value.toLocalDate() + " " + time(value.toLocalTime(), precision);
        }

        private String time(LocalTime value, int precision) {
            String seconds = String.format(
                    Locale.ROOT, "%02d:%02d:%02d", value.getHour(), value.getMinute(), value.getSecond());
            String fraction = String.format(Locale.ROOT, "%09d", value.getNano()).substring(0, precision);
            return precision == 0 ? seconds : seconds + "." + fraction;
        }

        private String yearMonth(long months) {
            long absolute = Math.abs(months);
            return String.format(Locale.ROOT, "%s%d-%02d", months < 0 ? "-" : "+", absolute / 12, absolute % 12);
        }

        private String dayTime(Duration value) {
            Duration absolute = value.abs();
            return String.format(
                    Locale.ROOT,
                    "%s%d %02d:%02d:%02d.%03d",
                    value.isNegative() ? "-" : "+",
                    absolute.toDays(),
                    absolute.toHoursPart(),
                    absolute.toMinutesPart(),
                    absolute.toSecondsPart(),
                    absolute.toMillisPart());
        }

        private String array(LogicalType element, Object array) {
            return IntStream.range(0, java.lang.reflect.Array.getLength(array))
                    .mapToObj(i -> text(element, java.lang.reflect.Array.get(array, i)))
                    .collect(Collectors.joining(", ", "[", "]"));
        }

        private String map(LogicalType key, LogicalType value, Map<?, ?> map) {
            Map<String, String> sorted = new TreeMap<>();
            map.forEach((k, v) -> sorted.put(text(key, k), value == null ? String.valueOf(v) : text(value, v)));
            return sorted.entrySet().stream()
                    .map(entry -> entry.getKey() + "=" + entry.getValue())
                    .collect(Collectors.joining(", ", "{", "}"));
        }

        private String row(LogicalType type, Row row) {
            List<LogicalType> fields = type.getChildren();
            return IntStream.range(0, fields.size())
                    .mapToObj(i -> text(fields.get(i), row.getField(i)))
                    .collect(Collectors.joining(", ", "(", ")"));
        }
    }
}
