// The connector 'nexmark' for Flink: a bounded table of Nexmark events, made inside the source.
// Invariant: the same options give the same rows as Mainstem's connector of that name, so that answers can be compared.
// Columns, and fields of a column, that a query does not need are not made, which the reference connector cannot do.
// Does not know the other options of the reference connector.

import static org.apache.flink.configuration.ConfigOptions.key;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.connector.datagen.source.DataGeneratorSource;
import org.apache.flink.table.api.ValidationException;
import org.apache.flink.table.catalog.Column;
import org.apache.flink.table.connector.ChangelogMode;
import org.apache.flink.table.connector.source.DynamicTableSource;
import org.apache.flink.table.connector.source.ScanTableSource;
import org.apache.flink.table.connector.source.SourceProvider;
import org.apache.flink.table.connector.source.abilities.SupportsProjectionPushDown;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.factories.DynamicTableSourceFactory;
import org.apache.flink.table.factories.FactoryUtil;
import org.apache.flink.table.types.DataType;

public final class NexmarkTables implements DynamicTableSourceFactory {
    private static final ConfigOption<Long> EVENTS = key("events.num").longType().noDefaultValue();
    private static final ConfigOption<String> TABLE = key("nexmark.table").stringType().noDefaultValue();

    @Override
    public String factoryIdentifier() {
        return "nexmark";
    }

    @Override
    public Set<ConfigOption<?>> requiredOptions() {
        return Set.of(EVENTS);
    }

    @Override
    public Set<ConfigOption<?>> optionalOptions() {
        return Set.of(TABLE);
    }

    @Override
    public DynamicTableSource createDynamicTableSource(Context context) {
        FactoryUtil.TableFactoryHelper helper = FactoryUtil.createTableFactoryHelper(this, context);
        helper.validate();
        String kind = helper.getOptions().get(TABLE);
        if (kind != null && !kind.equals("bid")) {
            throw new ValidationException("only 'bid' is known as 'nexmark.table', not '" + kind + "'");
        }
        List<String> expected = kind == null ? NexmarkRows.WIDE : NexmarkRows.BID;
        List<String> declared = new ArrayList<>();
        context.getCatalogTable().getResolvedSchema().getColumns().stream()
                .filter(Column::isPhysical)
                .forEach(column -> declared.add(column.getName()));
        if (!declared.equals(expected)) {
            throw new ValidationException("the columns must be " + expected + ", not " + declared);
        }
        int[][] all = new int[expected.size()][];
        Arrays.setAll(all, i -> new int[] {i});
        return new Table(kind != null, helper.getOptions().get(EVENTS), all, context.getPhysicalRowDataType());
    }

    private static final class Table implements ScanTableSource, SupportsProjectionPushDown {
        private final boolean flat;
        private final long events;
        private int[][] columns;
        private DataType produced;

        private Table(boolean flat, long events, int[][] columns, DataType produced) {
            this.flat = flat;
            this.events = events;
            this.columns = columns;
            this.produced = produced;
        }

        @Override
        public boolean supportsNestedProjection() {
            return true;
        }

        @Override
        public void applyProjection(int[][] projected, DataType type) {
            columns = projected;
            produced = type;
        }

        @Override
        public ChangelogMode getChangelogMode() {
            return ChangelogMode.insertOnly();
        }

        @Override
        public ScanRuntimeProvider getScanRuntimeProvider(ScanContext context) {
            TypeInformation<RowData> type = context.createTypeInformation(produced);
            long rows = flat ? NexmarkRows.bidsBefore(events) : events;
            return SourceProvider.of(new DataGeneratorSource<>(new NexmarkRows(flat, columns), rows, type));
        }

        @Override
        public DynamicTableSource copy() {
            return new Table(flat, events, columns, produced);
        }

        @Override
        public String asSummaryString() {
            return "nexmark";
        }
    }
}
