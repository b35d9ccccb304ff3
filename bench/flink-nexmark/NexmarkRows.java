// Makes the rows of the connector 'nexmark': people, auctions and bids, 1 : 3 : 46, with Nexmark's distributions.
// Invariant: a row is a function of its number alone, field by field the same function as in Mainstem's own generator
// (crates/mainstem-connectors/src/nexmark), whose text this is a translation of. Strings are copied from pools of bytes.

import java.nio.charset.StandardCharsets;
import java.util.List;
import org.apache.flink.api.connector.source.SourceReaderContext;
import org.apache.flink.connector.datagen.source.GeneratorFunction;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.data.TimestampData;

public final class NexmarkRows implements GeneratorFunction<Long, RowData> {
    static final List<String> WIDE = List.of("event_type", "person", "auction", "bid");
    static final List<String> BID = List.of("auction", "bidder", "price", "channel", "url", "dateTime", "extra");

    private static final int PEOPLE = 1;
    private static final int AUCTIONS = 3;
    private static final int BIDS = 46;
    private static final int ROUND = PEOPLE + AUCTIONS + BIDS;
    private static final long FIRST_ID = 1000;
    private static final long ID_LEAD = 10;
    private static final long HOT_BATCH = 100;
    private static final long HOT_AUCTIONS = 2;
    private static final long HOT_BIDDERS = 4;
    private static final long HOT_SELLERS = 4;
    private static final long ACTIVE_PEOPLE = 1000;
    private static final long AUCTIONS_IN_FLIGHT = 100;
    private static final long BASE_TIME_MS = 1_436_918_400_000L;
    private static final double DELAY_US = 100.0;
    private static final int CHANNELS = 10_000;
    private static final int POOL_BYTES = 1 << 16;
    private static final double PRICE_STEP = 2.302585092994046 * 6.0 / 1024.0;

    private static final String[] HOT_CHANNELS = {"Google", "Facebook", "Baidu", "Apple"};
    private static final String[] STATES = {"AZ", "CA", "ID", "OR", "WA", "WY"};
    private static final String[] CITIES = {
        "Phoenix", "Los Angeles", "San Francisco", "Boise", "Portland", "Bend", "Redmond", "Seattle", "Kent", "Cheyenne"
    };
    private static final String[] FIRST_NAMES = {
        "Peter", "Paul", "Luke", "John", "Saul", "Vicky", "Kate", "Julie", "Sarah", "Deiter", "Walter"
    };
    private static final String[] LAST_NAMES = {
        "Shultz", "Abrams", "Spencer", "White", "Bartels", "Walton", "Smith", "Jones", "Noris"
    };

    private static final Draw SELLER = new Draw(1);
    private static final Draw CATEGORY = new Draw(2);
    private static final Draw PRICE = new Draw(3);
    private static final Draw RESERVE = new Draw(4);
    private static final Draw EXPIRES = new Draw(5);
    private static final Draw NAME = new Draw(6);
    private static final Draw DESCRIPTION = new Draw(7);
    private static final Draw EMAIL = new Draw(8);
    private static final Draw CREDIT_CARD = new Draw(9);
    private static final Draw CITY = new Draw(10);
    private static final Draw STATE = new Draw(11);
    private static final Draw EXTRA = new Draw(12);
    private static final Draw AUCTION = new Draw(13);
    private static final Draw BIDDER = new Draw(14);
    private static final Draw CHANNEL = new Draw(15);

    private final boolean flat;
    /** Each a column, or a column and a field of it. */
    private final int[][] columns;
    private transient byte[] letters;
    private transient StringData[] channels;
    private transient StringData[] urls;
    private transient double[] powers;

    NexmarkRows(boolean flat, int[][] columns) {
        this.flat = flat;
        this.columns = columns;
    }

    /** How many bids there are among the first events. */
    static long bidsBefore(long events) {
        return events / ROUND * BIDS + Math.max(events % ROUND - PEOPLE - AUCTIONS, 0);
    }

    @Override
    public void open(SourceReaderContext context) {
        Rng rng = new Rng();
        rng.start(Rng.mix(Rng.EVENT_STEP));
        letters = new byte[POOL_BYTES];
        for (int i = 0; i < POOL_BYTES; i++) {
            letters[i] = (byte) ('a' + rng.below(26));
        }
        channels = new StringData[HOT_CHANNELS.length + CHANNELS];
        urls = new StringData[channels.length];
        for (int i = 0; i < channels.length; i++) {
            int cold = i - HOT_CHANNELS.length;
            channels[i] = bytes(cold < 0 ? HOT_CHANNELS[i] : "channel-" + cold);
            urls[i] = bytes(url(rng, cold));
        }
        powers = new double[1024];
        double power = 1.0;
        for (int i = 0; i < powers.length; i++, power *= expSmall(PRICE_STEP)) {
            powers[i] = power;
        }
    }

    @Override
    public RowData map(Long index) {
        long number = flat ? index / BIDS * ROUND + PEOPLE + AUCTIONS + index % BIDS : index;
        long round = number / ROUND;
        int offset = (int) (number % ROUND);
        GenericRowData row = new GenericRowData(columns.length);
        if (flat) {
            for (int i = 0; i < columns.length; i++) {
                row.setField(i, bidField(columns[i][0], number, round));
            }
            return row;
        }
        int kind = offset < PEOPLE ? 0 : offset < PEOPLE + AUCTIONS ? 1 : 2;
        for (int i = 0; i < columns.length; i++) {
            int[] path = columns[i];
            if (path[0] == 0) {
                row.setField(i, kind);
            } else if (path[0] == kind + 1) {
                row.setField(i, path.length == 1 ? event(kind, number, round, offset)
                        : field(kind, path[1], number, round, offset));
            }
        }
        return row;
    }

    private GenericRowData event(int kind, long number, long round, int offset) {
        return switch (kind) {
            case 0 -> person(number, round);
            case 1 -> auction(number, round, offset);
            default -> bid(number, round);
        };
    }

    /** One field of an event. Bids are nearly all of them; of the others only the time is worth a way of its own. */
    private Object field(int kind, int field, long number, long round, int offset) {
        if (kind == 2) {
            return bidField(field, number, round);
        }
        if (field == (kind == 0 ? 6 : 5)) {
            return TimestampData.fromEpochMillis(timeMs(number));
        }
        return event(kind, number, round, offset).getField(field);
    }

    private GenericRowData bid(long number, long round) {
        GenericRowData row = new GenericRowData(BID.size());
        for (int i = 0; i < row.getArity(); i++) {
            row.setField(i, bidField(i, number, round));
        }
        return row;
    }

    private Object bidField(int field, long number, long round) {
        return switch (field) {
            case 0 -> auctionOfBid(round, AUCTION.at(number));
            case 1 -> bidder(round, BIDDER.at(number));
            case 2 -> price(PRICE.at(number));
            case 3 -> channels[channel(CHANNEL.at(number))];
            case 4 -> urls[channel(CHANNEL.at(number))];
            case 5 -> TimestampData.fromEpochMillis(timeMs(number));
            default -> extra(EXTRA.at(number), 32, 100);
        };
    }

    private GenericRowData auction(long number, long round, int offset) {
        String name = word(NAME.at(number), 20, ' ');
        String description = word(DESCRIPTION.at(number), 100, ' ');
        long initialBid = price(PRICE.at(number));
        long now = timeMs(number);
        long horizon = timeMs(number + AUCTIONS_IN_FLIGHT * ROUND / AUCTIONS) - now;
        return GenericRowData.of(
                round * AUCTIONS + offset - PEOPLE + FIRST_ID,
                bytes(name),
                bytes(description),
                initialBid,
                initialBid + price(RESERVE.at(number)),
                TimestampData.fromEpochMillis(now),
                TimestampData.fromEpochMillis(now + 1 + EXPIRES.at(number).below(Math.max(horizon * 2, 1))),
                seller(round, SELLER.at(number)),
                10 + CATEGORY.at(number).below(5),
                extra(EXTRA.at(number), 48 + name.length() + description.length(), 500));
    }

    private GenericRowData person(long number, long round) {
        Rng names = NAME.at(number);
        String name = oneOf(names, FIRST_NAMES) + " " + oneOf(names, LAST_NAMES);
        Rng emails = EMAIL.at(number);
        String email = word(emails, 7, ' ') + "@" + word(emails, 5, ' ') + ".com";
        Rng cards = CREDIT_CARD.at(number);
        StringBuilder card = new StringBuilder();
        for (int group = 0; group < 4; group++) {
            String digits = Long.toString(10_000 + cards.below(10_000)).substring(1);
            card.append(group > 0 ? " " : "").append(digits);
        }
        String city = oneOf(CITY.at(number), CITIES);
        return GenericRowData.of(
                round * PEOPLE + FIRST_ID,
                bytes(name),
                bytes(email),
                bytes(card.toString()),
                bytes(city),
                bytes(oneOf(STATE.at(number), STATES)),
                TimestampData.fromEpochMillis(timeMs(number)),
                extra(EXTRA.at(number), 8 + 19 + 2 + name.length() + email.length() + city.length(), 200));
    }

    // ---- numbers ----

    private static long timeMs(long number) {
        return BASE_TIME_MS + (long) (number * DELAY_US) / 1000;
    }

    private static long auctionOfBid(long round, Rng rng) {
        long last = round * AUCTIONS + AUCTIONS - 1;
        if (rng.below(HOT_AUCTIONS) > 0) {
            return last / HOT_BATCH * HOT_BATCH + FIRST_ID;
        }
        long first = Math.max(last - AUCTIONS_IN_FLIGHT, 0);
        return first + rng.below(last - first + 1 + ID_LEAD) + FIRST_ID;
    }

    private static long bidder(long round, Rng rng) {
        return rng.below(HOT_BIDDERS) > 0 ? round / HOT_BATCH * HOT_BATCH + 1 + FIRST_ID : anyPerson(round, rng);
    }

    private static long seller(long round, Rng rng) {
        return rng.below(HOT_SELLERS) > 0 ? round / HOT_BATCH * HOT_BATCH + FIRST_ID : anyPerson(round, rng);
    }

    private static long anyPerson(long round, Rng rng) {
        long people = round + 1;
        long active = Math.min(people, ACTIVE_PEOPLE);
        return people - active + rng.below(active + ID_LEAD) + FIRST_ID;
    }

    private long price(Rng rng) {
        long unit = rng.next() >>> 11;
        double fraction = (unit & ((1L << 43) - 1)) / (double) (1L << 43);
        return (long) (powers[(int) (unit >>> 43)] * expSmall(fraction * PRICE_STEP) * 100.0 + 0.5);
    }

    private static double expSmall(double x) {
        return 1.0 + x * (1.0 + x * (0.5 + x * (1.0 / 6.0 + x * (1.0 / 24.0 + x * (1.0 / 120.0)))));
    }

    // ---- texts ----

    private static int channel(Rng rng) {
        long bits = rng.next();
        if (bits < 0) {
            return (int) (bits & 3);
        }
        return HOT_CHANNELS.length + (int) (((bits & 0xffff_ffffL) * CHANNELS) >>> 32);
    }

    private StringData extra(Rng rng, int size, int average) {
        int missing = average - size;
        if (missing < 0) {
            return StringData.fromBytes(letters, 0, 0);
        }
        long delta = Math.round(missing * 0.2);
        long length = missing - delta + (delta == 0 ? 0 : rng.below(2 * delta));
        return StringData.fromBytes(letters, (int) rng.below(POOL_BYTES - length), (int) length);
    }

    private static String url(Rng rng, int cold) {
        StringBuilder out = new StringBuilder("https://www.nexmark.com/");
        for (int i = 0; i < 3; i++) {
            out.append(word(rng, 5, '_')).append('/');
        }
        out.append("item.htm?query=1");
        if (cold >= 0 && rng.below(10) > 0) {
            out.append("&channel_id=").append(Math.abs(Integer.reverse(cold)));
        }
        return out.toString();
    }

    private static String word(Rng rng, int max, char special) {
        StringBuilder out = new StringBuilder();
        long length = 3 + rng.below(max - 3);
        for (long i = 0; i < length; i++) {
            long bits = rng.next();
            char c = (bits >>> 32) % 13 == 0 ? special : (char) ('a' + (((bits & 0xffff_ffffL) * 26) >>> 32));
            if (c != ' ' || out.length() > 0) {
                out.append(c);
            }
        }
        return out.toString().stripTrailing();
    }

    private static String oneOf(Rng rng, String[] words) {
        return words[(int) rng.below(words.length)];
    }

    private static StringData bytes(String text) {
        return StringData.fromBytes(text.getBytes(StandardCharsets.UTF_8));
    }

    // ---- randomness ----

    /** The random numbers of one field. One thread makes rows, so each field keeps one generator. */
    private static final class Draw {
        private final long seed;
        private final Rng rng = new Rng();

        private Draw(long salt) {
            seed = Rng.mix(Rng.mix(salt));
        }

        private Rng at(long number) {
            rng.start(seed + number * Rng.EVENT_STEP);
            return rng;
        }
    }

    /** SplitMix64. */
    private static final class Rng {
        private static final long EVENT_STEP = 0xd1b5_4a32_d192_ed03L;
        private long state;

        private void start(long seed) {
            state = seed;
        }

        private long next() {
            state += 0x9e37_79b9_7f4a_7c15L;
            return mix(state);
        }

        /** A number from 0 up to, but without, a positive bound. */
        private long below(long bound) {
            long bits = next();
            return Math.multiplyHigh(bits, bound) + ((bits >> 63) & bound);
        }

        private static long mix(long z) {
            z = (z ^ (z >>> 30)) * 0xbf58_476d_1ce4_e5b9L;
            z = (z ^ (z >>> 27)) * 0x94d0_49bb_1331_11ebL;
            return z ^ (z >>> 31);
        }
    }
}
