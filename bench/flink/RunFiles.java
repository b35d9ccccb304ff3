// Runs SQL files as one script on an Apache Flink inside this JVM and waits for every INSERT to end.
// Called as `RunFiles [--set KEY=VALUE]... [--var NAME=VALUE]... FILE...`; `${NAME}` in a file is filled from --var.
// Invariant: streaming mode, UTC, object reuse on, state on the heap, no checkpoints: the least work Flink can do.
// Does not time anything: whoever starts the process measures it whole.

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.table.api.EnvironmentSettings;
import org.apache.flink.table.api.TableEnvironment;
import org.apache.flink.table.api.TableResult;

public final class RunFiles {
    private static final Pattern VARIABLE = Pattern.compile("\\$\\{(\\w+)}");
    private static final Pattern COMMENT = Pattern.compile("(?m)^\\s*--.*$");

    private RunFiles() {}

    public static void main(String[] args) throws Exception {
        Configuration settings = new Configuration();
        settings.setString("execution.target", "local");
        settings.setString("execution.attached", "true");
        settings.setString("restart-strategy.type", "disable");
        settings.setString("table.local-time-zone", "UTC");
        settings.setString("pipeline.object-reuse", "true");
        settings.setString("rest.bind-address", "127.0.0.1");
        settings.setString("rest.address", "127.0.0.1");
        settings.setString("rest.bind-port", "0");
        Map<String, String> variables = new HashMap<>();
        List<Path> files = new ArrayList<>();
        for (int i = 0; i < args.length; i++) {
            if (args[i].equals("--set")) {
                String[] pair = args[++i].split("=", 2);
                settings.setString(pair[0], pair[1]);
            } else if (args[i].equals("--var")) {
                String[] pair = args[++i].split("=", 2);
                variables.put(pair[0], pair[1]);
            } else {
                files.add(Path.of(args[i]));
            }
        }
        TableEnvironment table = TableEnvironment.create(
                EnvironmentSettings.newInstance().inStreamingMode().withConfiguration(settings).build());
        for (Path file : files) {
            for (String statement : statements(Files.readString(file), variables)) {
                run(table, statement);
            }
        }
        // Threads of the cluster that is being torn down must not keep the process alive.
        System.exit(0);
    }

    private static void run(TableEnvironment table, String statement) throws Exception {
        Matcher set = Pattern.compile("(?is)SET\\s+'([^']+)'\\s*=\\s*'([^']*)'").matcher(statement);
        if (set.matches()) {
            table.getConfig().set(set.group(1), set.group(2));
            return;
        }
        TableResult result = table.executeSql(statement);
        if (result.getJobClient().isPresent()) {
            result.await();
        }
    }

    /** Statements end with a semicolon at the end of a line, which no text of these files holds otherwise. */
    private static List<String> statements(String script, Map<String, String> variables) {
        List<String> statements = new ArrayList<>();
        for (String part : COMMENT.matcher(script).replaceAll("").split(";\\s*(\\n|$)")) {
            if (!part.isBlank()) {
                statements.add(VARIABLE.matcher(part.strip()).replaceAll(found -> {
                    String value = variables.get(found.group(1));
                    if (value == null) {
                        throw new IllegalArgumentException("no --var gives " + found.group());
                    }
                    return Matcher.quoteReplacement(value);
                }));
            }
        }
        return statements;
    }
}
