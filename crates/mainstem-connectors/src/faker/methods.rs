//! The methods of the providers, by datafaker's names.
//! Invariant: every entry compiles in every locale (a test does it). Adding a method is one line; one that looks at
//! its arguments or its locale has a function in `recipes.rs`.

use super::checked::Checked;
use super::data::words as w;
use super::maker::{Maker, Mask};
use super::moment::Style;
use super::providers::Recipe;
use super::providers::Recipe::{As, Local, Make, Template, Words};
use super::recipes::{
    around, birthday, bothify, characters, checked, checked_formatted, credit_card, date_between,
    degrees, digits, domain_name, domain_word, email, examplify, iban, id_number, letterify,
    next_int, no_arguments, number_between, numerify, option, paragraph, password, price, prose,
    random_double, regexify, sequence_number, sequence_timestamp, templatify, username,
};

/// `Provider.method` and how it is made; names without a provider are directives of their own.
pub(super) static METHODS: &[(&str, Recipe)] = &[
    ("regexify", Make(regexify)),
    ("bothify", Make(bothify)),
    ("numerify", Make(numerify)),
    ("letterify", Make(letterify)),
    ("templatify", Make(templatify)),
    ("examplify", Make(examplify)),
    ("Expression.regexify", Make(regexify)),
    // People.
    ("Name.firstName", Local("first_names")),
    ("Name.maleFirstName", Local("male_names")),
    ("Name.malefirstName", Local("male_names")),
    ("Name.femaleFirstName", Local("female_names")),
    ("Name.lastName", Local("last_names")),
    ("Name.fullName", Template("full_name")),
    ("Name.name", Template("full_name")),
    ("Name.nameWithMiddle", Template("name_with_middle")),
    ("Name.prefix", Local("prefixes")),
    ("Name.suffix", Local("suffixes")),
    ("Name.title", As("#{Job.seniority} #{Job.field} #{Job.position}")),
    ("Name.username", Make(username)),
    (
        "Gender.types",
        Words("Male|Female|Non-binary|Genderqueer|Genderfluid|Agender|Bigender|Polygender"),
    ),
    ("Gender.binaryTypes", Words("Male|Female")),
    ("Gender.shortBinaryTypes", Words("m|f")),
    ("Demographic.sex", Words("Male|Female")),
    ("Demographic.maritalStatus", Words("Never married|Married|Divorced|Widowed|Separated")),
    ("Demographic.educationalAttainment", Words(w::EDUCATION)),
    ("Demographic.race", Words(w::RACES)),
    ("PhoneNumber.phoneNumber", Template("phone")),
    ("PhoneNumber.cellPhone", Template("cell_phone")),
    ("PhoneNumber.extension", As("#{numerify '####'}")),
    ("PhoneNumber.subscriberNumber", As("#{numerify '####'}")),
    // Places.
    ("Address.fullAddress", Template("full_address")),
    ("Address.streetAddress", Template("street_address")),
    ("Address.streetName", Template("street_name")),
    ("Address.streetAddressNumber", Template("building_number")),
    ("Address.streetPrefix", Local("street_prefixes")),
    ("Address.streetSuffix", Local("street_suffixes")),
    ("Address.secondaryAddress", Template("secondary_address")),
    ("Address.buildingNumber", Template("building_number")),
    ("Address.city", Local("cities")),
    ("Address.cityName", Local("cities")),
    ("Address.state", Local("states")),
    ("Address.stateAbbr", Local("state_abbrs")),
    ("Address.country", Words(w::COUNTRIES)),
    ("Address.countryCode", Words(w::COUNTRY_CODES)),
    ("Address.zipCode", Template("zip_code")),
    ("Address.postcode", Template("zip_code")),
    ("Address.latitude", Make(|c| degrees(c, 90))),
    ("Address.longitude", Make(|c| degrees(c, 180))),
    ("Address.latLon", As("#{Address.latitude},#{Address.longitude}")),
    ("Address.lonLat", As("#{Address.longitude},#{Address.latitude}")),
    ("Address.timeZone", Words(w::TIME_ZONES)),
    ("Country.name", Words(w::COUNTRIES)),
    ("Country.capital", Words(w::CAPITALS)),
    ("Country.countryCode2", Words(w::COUNTRY_CODES_LOWER)),
    ("Country.countryCode3", Words(w::COUNTRY_CODES_3)),
    ("Country.currency", Words(w::CURRENCIES)),
    ("Country.currencyCode", Words(w::CURRENCY_CODES)),
    ("Nation.capitalCity", Words(w::CAPITALS)),
    ("Nation.nationality", Words(w::NATIONALITIES)),
    ("Nation.language", Words(w::LANGUAGES)),
    ("Nation.isoCountry", Words(w::COUNTRY_CODES)),
    // The Internet.
    ("Internet.emailAddress", Make(|c| email(c, c.locale.text("email_domains")?))),
    ("Internet.email", Make(|c| email(c, c.locale.text("email_domains")?))),
    ("Internet.safeEmailAddress", Make(|c| email(c, "example.com|example.org|example.net"))),
    ("Internet.username", Make(username)),
    ("Internet.domainName", Make(domain_name)),
    ("Internet.domainWord", Make(domain_word)),
    ("Internet.domainSuffix", Local("domain_suffixes")),
    ("Internet.webdomain", As("www.#{Internet.domainName}")),
    ("Internet.url", As("www.#{Internet.domainName}")),
    ("Internet.avatar", As("https://robohash.org/#{Internet.uuid}.png")),
    (
        "Internet.image",
        As(
            "https://picsum.photos/#{Options.option '320','640','800'}/#{Options.option '200','480','600'}",
        ),
    ),
    ("Internet.password", Make(password)),
    ("Internet.ipV4Address", Make(|c| no_arguments(c, Maker::Ipv4 { private: false }))),
    ("Internet.publicIpV4Address", Make(|c| no_arguments(c, Maker::Ipv4 { private: false }))),
    ("Internet.privateIpV4Address", Make(|c| no_arguments(c, Maker::Ipv4 { private: true }))),
    ("Internet.ipV4Cidr", As("#{Internet.ipV4Address}/#{number.numberBetween '1','32'}")),
    ("Internet.ipV6Address", Make(|c| no_arguments(c, Maker::HexGroups { count: 8, digits: 4 }))),
    ("Internet.ipV6Cidr", As("#{Internet.ipV6Address}/#{number.numberBetween '1','128'}")),
    ("Internet.macAddress", Make(|c| no_arguments(c, Maker::HexGroups { count: 6, digits: 2 }))),
    ("Internet.port", As("#{number.numberBetween '0','65536'}")),
    ("Internet.httpMethod", Words("GET|POST|PUT|DELETE|HEAD|OPTIONS|PATCH|TRACE|CONNECT")),
    ("Internet.userAgent", Words(w::USER_AGENTS)),
    ("Internet.botUserAgentAny", Words(w::BOT_AGENTS)),
    ("Internet.uuid", Make(|c| no_arguments(c, Maker::Uuid))),
    ("Internet.uuidv4", Make(|c| no_arguments(c, Maker::Uuid))),
    ("Internet.slug", As("#{Lorem.word}_#{Lorem.word}")),
    ("File.fileName", As("#{Lorem.word}/#{Lorem.word}.#{File.extension}")),
    (
        "File.extension",
        Words(
            "avi|bmp|css|csv|doc|docx|flac|gif|html|jpg|js|json|mov|mp3|mp4|odt|pdf|png|ppt|tiff|txt|wav|webm|xls|xlsx|xml",
        ),
    ),
    (
        "File.mimeType",
        Words(
            "application/json|application/pdf|application/xml|application/zip|audio/mpeg|audio/ogg|image/gif|image/jpeg|image/png|image/webp|text/css|text/csv|text/html|text/plain|video/mp4|video/mpeg",
        ),
    ),
    // Companies and commerce.
    ("Company.name", Template("company")),
    ("Company.suffix", Local("company_suffixes")),
    ("Company.industry", Words(w::INDUSTRIES)),
    ("Company.profession", Words(w::PROFESSIONS)),
    ("Company.buzzword", Words(w::BUZZWORDS)),
    ("Company.catchPhrase", As("#{Company.buzzword} #{Hacker.adjective} #{Hacker.noun}")),
    ("Company.bs", As("#{Hacker.verb} #{Company.buzzword} #{Hacker.noun}")),
    ("Company.url", As("www.#{Internet.domainName}")),
    (
        "Company.logo",
        As(
            "https://pigment.github.io/fake-logos/logos/medium/color/#{number.numberBetween '1','14'}.png",
        ),
    ),
    ("Commerce.productName", As("#{Commerce.adjective} #{Commerce.material} #{Commerce.product}")),
    ("Commerce.adjective", Words(w::PRODUCT_ADJECTIVES)),
    ("Commerce.product", Words(w::PRODUCTS)),
    ("Commerce.material", Words(w::MATERIALS)),
    ("Commerce.department", Words(w::DEPARTMENTS)),
    ("Commerce.brand", Words(w::BRANDS)),
    ("Commerce.vendor", Words(w::VENDORS)),
    ("Commerce.price", Make(price)),
    (
        "Commerce.promotionCode",
        As(
            "#{regexify '(Amazing|Awesome|Cool|Good|Great|Incredible|Killer|Premium|Special|Stellar|Sweet)(Code|Deal|Discount|Price|Promo|Promotion|Sale|Savings)'}#{numerify '######'}",
        ),
    ),
    ("Commerce.color", Words(w::COLORS)),
    ("Color.name", Words(w::COLORS)),
    ("Color.hex", As("##{regexify '[0-9A-F]{6}'}")),
    ("Job.title", As("#{Job.seniority} #{Job.field} #{Job.position}")),
    ("Job.field", Words(w::JOB_FIELDS)),
    ("Job.position", Words(w::JOB_POSITIONS)),
    ("Job.seniority", Words(w::SENIORITIES)),
    ("Job.keySkills", Words(w::SKILLS)),
    // Money.
    ("Finance.iban", Make(iban)),
    (
        "Finance.bic",
        As("#{regexify '[A-Z]{4}'}#{Address.countryCode}#{regexify '[A-Z0-9]{2}([A-Z0-9]{3})?'}"),
    ),
    ("Finance.creditCard", Make(credit_card)),
    ("Finance.nasdaqTicker", Words(w::TICKERS)),
    ("Finance.stockMarket", Words("NASDAQ|NYSE|LSE|TSE|SSE|Euronext|B3|BVB")),
    ("Stock.nsdqSymbol", Words(w::TICKERS)),
    ("Business.creditCardNumber", Make(credit_card)),
    (
        "Business.creditCardType",
        Words("visa|mastercard|american_express|discover|diners_club|jcb|maestro"),
    ),
    ("Business.creditCardExpiry", As("#{date.future '1500','30','DAYS','yyyy-MM-dd'}")),
    ("Currency.name", Words(w::CURRENCIES)),
    ("Currency.code", Words(w::CURRENCY_CODES)),
    ("Money.currency", Words(w::CURRENCIES)),
    ("Money.currencyCode", Words(w::CURRENCY_CODES)),
    (
        "CryptoCoin.coin",
        Words(
            "Bitcoin|Ethereum|Litecoin|Cardano|Polkadot|Solana|Dogecoin|Monero|Stellar|Tezos|Algorand|Cosmos",
        ),
    ),
    // Identity and article numbers.
    ("IdNumber.valid", Make(id_number)),
    ("IdNumber.ssnValid", Make(|c| checked(c, Checked::Ssn))),
    ("IdNumber.validEnZaSsn", Make(|c| no_arguments(c, Mask::parse("#############", "#", false)))),
    ("IdNumber.ssn", Make(|c| checked(c, Checked::Ssn))),
    ("Cpf.valid", Make(|c| checked_formatted(c, |formatted| Checked::Cpf { formatted }))),
    ("Cpf.cpf", Make(|c| checked_formatted(c, |formatted| Checked::Cpf { formatted }))),
    ("Cnpj.valid", Make(|c| checked_formatted(c, |formatted| Checked::Cnpj { formatted }))),
    ("Cnpj.cnpj", Make(|c| checked_formatted(c, |formatted| Checked::Cnpj { formatted }))),
    ("Cnp.valid", Make(|c| checked(c, Checked::Cnp))),
    ("Code.isbn10", Make(|c| checked(c, Checked::Isbn10))),
    ("Code.isbn13", Make(|c| checked(c, Checked::Isbn13))),
    ("Code.isbn", Make(|c| checked(c, Checked::Isbn13))),
    ("Code.ean8", Make(|c| checked(c, Checked::Ean8))),
    ("Code.ean13", Make(|c| checked(c, Checked::Ean13))),
    ("Code.gtin13", Make(|c| checked(c, Checked::Ean13))),
    ("Code.gtin8", Make(|c| checked(c, Checked::Ean8))),
    ("Code.imei", Make(|c| checked(c, Checked::Imei))),
    ("Code.asin", As("B0#{regexify '[0-9A-Z]{8}'}")),
    ("Barcode.ean13", Make(|c| checked(c, Checked::Ean13))),
    ("Barcode.ean8", Make(|c| checked(c, Checked::Ean8))),
    // Text.
    ("Lorem.word", Words(w::LATIN)),
    (
        "Lorem.words",
        Make(|c| c.at_most(1).and_then(|()| prose(c.size(0, 3)?, c.size(0, 3)?, false))),
    ),
    (
        "Lorem.sentence",
        Make(|c| c.at_most(1).and_then(|()| prose(c.size(0, 4)?, c.size(0, 4)? + 6, true))),
    ),
    ("Lorem.sentences", Make(|c| paragraph(c, c.size(0, 3)?, 0))),
    ("Lorem.paragraph", Make(|c| paragraph(c, c.size(0, 3)?, 3))),
    ("Lorem.characters", Make(characters)),
    ("Lorem.character", Make(characters)),
    ("Lorem.fixedString", Make(characters)),
    (
        "Hacker.abbreviation",
        Words(
            "TCP|HTTP|SDD|RAM|GB|CSS|SSL|AGP|SQL|FTP|PCI|AI|ADP|RSS|XML|EXE|COM|HDD|THX|SMTP|SMS|USB|PNG|SAS|IB|SCSI|JSON|XSS|JBOD",
        ),
    ),
    ("Hacker.adjective", Words(w::HACKER_ADJECTIVES)),
    ("Hacker.noun", Words(w::HACKER_NOUNS)),
    ("Hacker.verb", Words(w::HACKER_VERBS)),
    // Numbers, booleans, choices.
    ("Number.digit", Make(|c| no_arguments(c, Maker::Whole { min: 0, span: 10 }))),
    ("Number.digits", Make(|c| digits(c, true))),
    ("Number.randomDigit", Make(|c| no_arguments(c, Maker::Whole { min: 0, span: 10 }))),
    ("Number.randomDigitNotZero", Make(|c| no_arguments(c, Maker::Whole { min: 1, span: 9 }))),
    ("Number.positive", Make(|c| no_arguments(c, Maker::Whole { min: 1, span: i32::MAX as u64 }))),
    (
        "Number.negative",
        Make(|c| no_arguments(c, Maker::Whole { min: i32::MIN as i64, span: 1 << 31 })),
    ),
    ("Number.numberBetween", Make(number_between)),
    ("Number.randomNumber", Make(|c| digits(c, false))),
    ("Number.randomDouble", Make(random_double)),
    ("Random.nextInt", Make(next_int)),
    ("Random.nextLong", Make(next_int)),
    (
        "Random.nextDouble",
        Make(|c| {
            no_arguments(
                c,
                Maker::Fraction { decimals: 15, min_units: 0, span: 1_000_000_000_000_000 },
            )
        }),
    ),
    ("Random.nextBoolean", Make(|c| no_arguments(c, Maker::Bool))),
    ("Random.hex", Make(|c| c.at_most(1).and_then(|()| Ok(Maker::Hex(c.size(0, 8)?))))),
    ("Bool.bool", Make(|c| no_arguments(c, Maker::Bool))),
    ("Options.option", Make(option)),
    ("Options.nextElement", Make(option)),
    ("Sequence.number", Make(sequence_number)),
    ("Sequence.timestamp", Make(sequence_timestamp)),
    // Digests of random texts: as random as their digits, so the digits are drawn.
    ("Crypto.md5", Make(|c| no_arguments(c, Maker::Hex(32)))),
    ("Crypto.sha1", Make(|c| no_arguments(c, Maker::Hex(40)))),
    ("Crypto.sha256", Make(|c| no_arguments(c, Maker::Hex(64)))),
    ("Crypto.sha384", Make(|c| no_arguments(c, Maker::Hex(96)))),
    ("Crypto.sha512", Make(|c| no_arguments(c, Maker::Hex(128)))),
    ("Hashing.md5", Make(|c| no_arguments(c, Maker::Hex(32)))),
    ("Hashing.sha1", Make(|c| no_arguments(c, Maker::Hex(40)))),
    ("Hashing.sha256", Make(|c| no_arguments(c, Maker::Hex(64)))),
    ("Hashing.sha512", Make(|c| no_arguments(c, Maker::Hex(128)))),
    // Time.
    ("Date.past", Make(|c| around(c, -1, Style::Sql))),
    ("Date.future", Make(|c| around(c, 1, Style::Sql))),
    ("Date.between", Make(|c| date_between(c, Style::Sql))),
    ("Date.birthday", Make(|c| birthday(c, Style::Sql))),
    ("TimeAndDate.past", Make(|c| around(c, -1, Style::Iso))),
    ("TimeAndDate.future", Make(|c| around(c, 1, Style::Iso))),
    ("TimeAndDate.between", Make(|c| date_between(c, Style::Iso))),
    ("TimeAndDate.birthday", Make(|c| birthday(c, Style::pattern("yyyy-MM-dd")?))),
    ("Time.past", Make(|c| around(c, -1, Style::NanoOfDay))),
    ("Time.future", Make(|c| around(c, 1, Style::NanoOfDay))),
    // Things.
    ("Book.title", Words(w::BOOKS)),
    ("Book.author", As("#{Name.fullName}")),
    ("Book.publisher", Words(w::PUBLISHERS)),
    ("Book.genre", Words(w::GENRES)),
    ("Food.dish", Words(w::DISHES)),
    ("Food.ingredient", Words(w::INGREDIENTS)),
    ("Food.fruit", Words(w::FRUITS)),
    ("Food.vegetable", Words(w::VEGETABLES)),
    ("Food.spice", Words(w::SPICES)),
    (
        "Food.sushi",
        Words(
            "Ahi|Anago|Ebi|Hamachi|Hotate|Ika|Ikura|Kani|Maguro|Saba|Sake|Tai|Tako|Toro|Unagi|Uni",
        ),
    ),
    (
        "Food.measurement",
        As(
            "#{Options.option '1/4','1/3','1/2','1','2','3'} #{Options.option 'teaspoon','tablespoon','cup','pint','quart','gallon'}",
        ),
    ),
    ("Animal.name", Words(w::ANIMALS)),
    ("Animal.scientificName", Words(w::SPECIES)),
    (
        "Cat.name",
        Words(
            "Alfie|Angel|Bella|Charlie|Chloe|Coco|Daisy|Felix|Jasper|Lily|Lucky|Lucy|Max|Millie|Milo|Misty|Molly|Oliver|Oscar|Poppy|Sam|Shadow|Simba|Smokey|Sooty|Tiger",
        ),
    ),
    (
        "Dog.name",
        Words(
            "Bailey|Bear|Bella|Buddy|Charlie|Coco|Cooper|Daisy|Duke|Jack|Lola|Lucy|Maggie|Max|Molly|Oliver|Rocky|Sadie|Sophie|Toby|Tucker|Zoe",
        ),
    ),
    (
        "Dog.breed",
        Words(
            "Akita|Beagle|Border Collie|Boxer|Bulldog|Chihuahua|Cocker Spaniel|Dachshund|Dalmatian|Doberman|German Shepherd|Golden Retriever|Great Dane|Greyhound|Husky|Labrador|Malamute|Maltese|Poodle|Pug|Rottweiler|Samoyed|Shiba Inu|Terrier|Weimaraner|Whippet",
        ),
    ),
    ("Vehicle.make", Words(w::CAR_MAKES)),
    ("Vehicle.manufacturer", Words(w::CAR_MAKES)),
    ("Vehicle.model", Words(w::CAR_MODELS)),
    ("Vehicle.makeAndModel", Words(w::CARS)),
    ("Vehicle.vin", As("#{regexify '[A-HJ-NPR-Z0-9]{8}[0-9X][A-HJ-NPR-Z0-9]{2}[0-9]{6}'}")),
    ("Vehicle.licensePlate", Template("license_plate")),
    ("Vehicle.color", Words("Red|White|Black|Silver|Blue|Grey|Green|Brown|Beige|Orange|Yellow")),
    (
        "Vehicle.fuelType",
        Words("Gasoline|Diesel|Electric|Hybrid|Plug-in hybrid|E-85|Compressed Natural Gas|Ethanol"),
    ),
    ("Vehicle.transmission", Words("Automatic|Manual|CVT|Automanual")),
    ("Vehicle.driveType", Words("4x2/2-wheel drive|4x4/4-wheel drive|AWD|FWD|RWD")),
    (
        "Vehicle.carType",
        Words(
            "Cargo Van|Convertible|Coupe|Crew Cab Pickup|Extended Cab Pickup|Hatchback|Minivan|Passenger Van|SUV|Sedan|Wagon",
        ),
    ),
    ("Device.modelName", Words(w::DEVICES)),
    (
        "Device.platform",
        Words("Android OS|iOS|Windows 10|Windows Phone|Ubuntu Touch|HarmonyOS|KaiOS|Tizen"),
    ),
    (
        "Device.manufacturer",
        Words(
            "Apple|Samsung|Google|Huawei|Xiaomi|OnePlus|Nokia|Sony|Motorola|LG|HTC|Asus|Lenovo|Fairphone",
        ),
    ),
    ("Device.serial", As("#{regexify '[A-Za-z0-9]{15,30}'}")),
    ("App.name", Words(w::APPS)),
    ("App.author", As("#{Name.fullName}")),
    (
        "App.version",
        As(
            "#{number.numberBetween '0','10'}.#{number.numberBetween '0','20'}.#{number.numberBetween '0','10'}",
        ),
    ),
    (
        "Beer.name",
        Words(
            "Pliny The Elder|Heady Topper|Westvleteren 12|Orval|Rochefort 10|Duvel|Chimay Blue|Saison Dupont|Arrogant Bastard|Sierra Nevada Pale Ale|Two Hearted Ale|Guinness Extra Stout|Weihenstephaner Hefe|Schneider Aventinus|Anchor Steam|Ursus|Timisoreana|Brahma|Skol",
        ),
    ),
    (
        "Beer.style",
        Words(
            "Light Lager|Pilsner|Amber Ale|Porter|Stout|Belgian Strong Ale|India Pale Ale|Wheat Beer|Saison|Sour Ale|Bock|Vienna Lager|Smoked Beer",
        ),
    ),
    (
        "Music.genre",
        Words(
            "Rock|Pop|Jazz|Blues|Classical|Country|Electronic|Folk|Funk|Hip Hop|Metal|Reggae|Soul|World|Latin|Samba|Bossa Nova",
        ),
    ),
    (
        "Music.instrument",
        Words(
            "Piano|Guitar|Violin|Viola|Cello|Double Bass|Flute|Clarinet|Oboe|Bassoon|Saxophone|Trumpet|Trombone|Tuba|Harp|Drums|Accordion|Banjo|Ukulele|Mandolin|Organ|Harmonica",
        ),
    ),
    (
        "Weather.description",
        Words(
            "Sunny|Partly cloudy|Cloudy|Overcast|Light rain|Heavy rain|Thunderstorm|Snow|Sleet|Hail|Fog|Mist|Windy|Clear",
        ),
    ),
    ("Weather.temperatureCelsius", As("#{number.numberBetween '-30','39'}°C")),
    ("University.name", As("#{Address.state} University|University of #{Address.city}")),
    (
        "Team.sport",
        Words(
            "baseball|basketball|football|hockey|lacrosse|rugby|soccer|volleyball|handball|cricket",
        ),
    ),
    ("Space.planet", Words("Mercury|Venus|Earth|Mars|Jupiter|Saturn|Uranus|Neptune")),
    (
        "Space.moon",
        Words(
            "Moon|Phobos|Deimos|Io|Europa|Ganymede|Callisto|Titan|Enceladus|Mimas|Rhea|Titania|Oberon|Miranda|Triton|Nereid",
        ),
    ),
    ("Superhero.name", As("#{Superhero.prefix} #{Superhero.descriptor} #{Superhero.suffix}")),
    (
        "Superhero.prefix",
        Words(
            "The|Magnificent|Ultra|Supah|Illustrious|Agent|Cyborg|Dark|Giant|Mr|Doctor|Red|Green|General|Captain",
        ),
    ),
    (
        "Superhero.suffix",
        Words(
            "I|II|III|IX|XI|Claw|Man|Woman|Machine|Strike|X|Eyes|Dragon|Skull|Fist|Ivy|Boy|Girl|Knight|Wolf|Lord|Brain|the Hunter|of Hearts|Spirit|Strange|the Fated|Brain|Thirteen",
        ),
    ),
    (
        "Superhero.descriptor",
        Words(
            "Bolt|Hawk|Storm|Shadow|Blade|Falcon|Phantom|Raven|Thunder|Frost|Tiger|Mirage|Titan|Comet|Venom|Quill|Onyx|Ember|Nova|Sparrow",
        ),
    ),
    (
        "Superhero.power",
        Words(
            "Flight|Invisibility|Telepathy|Telekinesis|Super Strength|Super Speed|Shapeshifting|Time Travel|Teleportation|Healing|Heat Resistance|Cold Resistance|Night Vision|Agility|Durability|Illusions|Magnetism|Force Fields|Energy Blasts|Weather Control",
        ),
    ),
    (
        "HarryPotter.character",
        Words(
            "Harry Potter|Hermione Granger|Ron Weasley|Albus Dumbledore|Severus Snape|Rubeus Hagrid|Minerva McGonagall|Draco Malfoy|Sirius Black|Remus Lupin|Neville Longbottom|Luna Lovegood|Ginny Weasley|Fred Weasley|George Weasley|Dobby|Bellatrix Lestrange|Lucius Malfoy|Molly Weasley|Arthur Weasley|Nymphadora Tonks|Cho Chang",
        ),
    ),
    ("HarryPotter.characters", As("#{HarryPotter.character}")),
    (
        "HarryPotter.location",
        Words(
            "Hogwarts|Hogsmeade|Diagon Alley|The Burrow|Privet Drive|Gringotts|Azkaban|Platform 9 3/4|The Great Hall|The Forbidden Forest|The Leaky Cauldron|Godric's Hollow|Shell Cottage|Honeydukes|The Three Broomsticks|Ministry of Magic",
        ),
    ),
    ("HarryPotter.house", Words("Gryffindor|Ravenclaw|Hufflepuff|Slytherin")),
    (
        "HarryPotter.spell",
        Words(
            "Accio|Aguamenti|Alohomora|Confundo|Crucio|Expecto Patronum|Expelliarmus|Finite Incantatem|Impedimenta|Incendio|Levicorpus|Lumos|Muffliato|Nox|Obliviate|Petrificus Totalus|Protego|Reducto|Reparo|Riddikulus|Sectumsempra|Stupefy|Wingardium Leviosa",
        ),
    ),
    (
        "StarTrek.character",
        Words(
            "James T. Kirk|Spock|Leonard McCoy|Montgomery Scott|Uhura|Hikaru Sulu|Pavel Chekov|Jean-Luc Picard|William Riker|Data|Worf|Deanna Troi|Beverly Crusher|Geordi La Forge|Benjamin Sisko|Kira Nerys|Odo|Quark|Kathryn Janeway|Chakotay|Tuvok|Seven of Nine",
        ),
    ),
    (
        "GameOfThrones.house",
        Words(
            "Stark|Lannister|Targaryen|Baratheon|Greyjoy|Tyrell|Martell|Arryn|Tully|Bolton|Frey|Mormont|Tarly|Umber|Karstark",
        ),
    ),
    (
        "GameOfThrones.character",
        Words(
            "Jon Snow|Arya Stark|Sansa Stark|Bran Stark|Ned Stark|Catelyn Stark|Tyrion Lannister|Cersei Lannister|Jaime Lannister|Daenerys Targaryen|Brienne of Tarth|Samwell Tarly|Theon Greyjoy|Jorah Mormont|Davos Seaworth|Stannis Baratheon|Melisandre|Varys|Petyr Baelish",
        ),
    ),
    (
        "GreekPhilosopher.name",
        Words(
            "Socrates|Plato|Aristotle|Epicurus|Pythagoras|Heraclitus|Parmenides|Zeno|Thales|Anaximander|Democritus|Diogenes|Empedocles|Protagoras|Plotinus|Xenophon",
        ),
    ),
    (
        "RickAndMorty.character",
        Words(
            "Rick Sanchez|Morty Smith|Summer Smith|Beth Smith|Jerry Smith|Birdperson|Mr. Meeseeks|Mr. Poopybutthole|Squanchy|Unity|Evil Morty|Tammy Guetermann|Jessica|Scary Terry|Abradolf Lincler",
        ),
    ),
    (
        "RickAndMorty.location",
        Words(
            "Earth C-137|Anatomy Park|Gazorpazorp|Bird World|Planet Squanch|Citadel of Ricks|Interdimensional Customs|Venzenulon 7|Nuptia 4|Post-Apocalyptic Earth",
        ),
    ),
    (
        "Pokemon.name",
        Words(
            "Bulbasaur|Charmander|Squirtle|Caterpie|Pidgey|Pikachu|Sandshrew|Clefairy|Vulpix|Jigglypuff|Zubat|Oddish|Diglett|Meowth|Psyduck|Growlithe|Poliwag|Abra|Machop|Geodude|Ponyta|Slowpoke|Magnemite|Gastly|Onix|Cubone|Lapras|Ditto|Eevee|Snorlax|Mewtwo|Mew",
        ),
    ),
    (
        "Pokemon.location",
        Words(
            "Pallet Town|Viridian City|Pewter City|Cerulean City|Vermilion City|Lavender Town|Celadon City|Fuchsia City|Saffron City|Cinnabar Island|Mt. Moon|Rock Tunnel|Victory Road|Indigo Plateau|Safari Zone",
        ),
    ),
    (
        "LordOfTheRings.character",
        Words(
            "Frodo Baggins|Samwise Gamgee|Gandalf|Aragorn|Legolas|Gimli|Boromir|Meriadoc Brandybuck|Peregrin Took|Galadriel|Elrond|Arwen|Éowyn|Faramir|Théoden|Saruman|Gollum|Tom Bombadil|Treebeard",
        ),
    ),
    (
        "LordOfTheRings.location",
        Words(
            "The Shire|Rivendell|Lothlórien|Mordor|Gondor|Rohan|Isengard|Minas Tirith|Helm's Deep|Fangorn|Moria|Bree|Mount Doom|The Grey Havens",
        ),
    ),
    (
        "Hobbit.character",
        Words(
            "Bilbo Baggins|Gandalf|Thorin Oakenshield|Fíli|Kíli|Balin|Dwalin|Óin|Glóin|Dori|Nori|Ori|Bifur|Bofur|Bombur|Smaug|Beorn|Bard|Gollum|Elrond|Thranduil",
        ),
    ),
    (
        "Friends.character",
        Words(
            "Rachel Green|Joey Tribbiani|Phoebe Buffay|Chandler Bing|Monica Geller|Ross Geller|Gunther|Janice Litman-Goralnik|Mike Hannigan|Richard Burke|Carol Willick|Ursula Buffay",
        ),
    ),
    (
        "StarWars.character",
        Words(
            "Luke Skywalker|Leia Organa|Han Solo|Chewbacca|Darth Vader|Obi-Wan Kenobi|Yoda|R2-D2|C-3PO|Lando Calrissian|Boba Fett|Padmé Amidala|Anakin Skywalker|Mace Windu|Rey|Finn|Poe Dameron|Kylo Ren|Ahsoka Tano",
        ),
    ),
    (
        "Aviation.aircraft",
        Words(
            "Airbus A220|Airbus A320|Airbus A330|Airbus A350|Airbus A380|Boeing 737|Boeing 747|Boeing 767|Boeing 777|Boeing 787|Embraer E175|Embraer E190|Bombardier CRJ900|ATR 72|Cessna 172|Piper PA-28",
        ),
    ),
    (
        "Aviation.airport",
        Words(
            "KATL|KLAX|KORD|KDFW|KJFK|KDEN|KSFO|EGLL|LFPG|EHAM|EDDF|LEMD|LIRF|LROP|LPPT|SBGR|SBGL|SBBR|RJTT|ZBAA|VHHH|WSSS|OMDB|YSSY",
        ),
    ),
    (
        "Subscription.plans",
        Words(
            "Free Trial|Basic|Starter|Essential|Student|Bronze|Standard|Silver|Gold|Platinum|Professional|Business|Diamond|Premium",
        ),
    ),
    ("Subscription.statuses", Words("Active|Idle|Pending|Blocked")),
    (
        "Subscription.paymentMethods",
        Words(
            "Credit card|Debit card|PayPal|Cash|Money transfer|Bitcoins|Cheque|Apple Pay|Google Wallet|WeChat Pay|Alipay|Visa checkout",
        ),
    ),
    ("Subscription.paymentTerms", Words("Payment in advance|Monthly|Annual|Full subscription")),
    (
        "Subscription.subscriptionTerms",
        Words("Daily|Weekly|Monthly|Annual|Biennal|Triennal|Quinquennal|Lifetime"),
    ),
    (
        "Computer.brand",
        Words(
            "Acer|Apple|Asus|Dell|Framework|Fujitsu|Hewlett-Packard|Huawei|Lenovo|Microsoft|MSI|Razer|Samsung|System76|Toshiba",
        ),
    ),
    (
        "Computer.operatingSystem",
        Words(
            "Windows 10|Windows 11|macOS 13|macOS 14|macOS 15|Debian 12|Debian 13|Ubuntu 22.04|Ubuntu 24.04|Fedora 41|Arch Linux|FreeBSD 14|OpenBSD 7",
        ),
    ),
    (
        "ProgrammingLanguage.name",
        Words(
            "Ada|Assembly|Bash|C|C#|C++|Clojure|COBOL|Dart|Elixir|Erlang|F#|Fortran|Go|Haskell|Java|JavaScript|Julia|Kotlin|Lisp|Lua|Objective-C|OCaml|Perl|PHP|Prolog|Python|R|Ruby|Rust|Scala|Scheme|Smalltalk|SQL|Swift|TypeScript|Zig",
        ),
    ),
    (
        "Aws.region",
        Words(
            "us-east-1|us-east-2|us-west-1|us-west-2|ca-central-1|sa-east-1|eu-west-1|eu-west-2|eu-west-3|eu-central-1|eu-north-1|eu-south-1|ap-south-1|ap-southeast-1|ap-southeast-2|ap-northeast-1|ap-northeast-2|me-south-1|af-south-1",
        ),
    ),
    (
        "Azure.region",
        Words(
            "eastus|eastus2|westus|westus2|centralus|northcentralus|southcentralus|canadacentral|brazilsouth|northeurope|westeurope|uksouth|francecentral|germanywestcentral|switzerlandnorth|norwayeast|southeastasia|eastasia|japaneast|australiaeast|centralindia|uaenorth",
        ),
    ),
    (
        "Coffee.blendName",
        Words(
            "Morning Blend|Dark Roast|Winter Sunrise|House Espresso|Café Cake|Holiday Select|Blue Utopia|Green Forest|Red Extract|Summer Light|Street Solstice|Express Java|Jacked Town|Veranda Been|Postmodern Treat",
        ),
    ),
    (
        "Coffee.variety",
        Words(
            "Bourbon|Caturra|Catuaí|Geisha|Mundo Novo|Pacamara|SL28|SL34|Typica|Java|Liberica|Robusta|Villa Sarchi|Ethiopian Heirloom",
        ),
    ),
    (
        "Hobby.activity",
        Words(
            "Astronomy|Baking|Bird watching|Calligraphy|Chess|Climbing|Cooking|Cycling|Dancing|Drawing|Fishing|Gardening|Hiking|Juggling|Knitting|Origami|Painting|Photography|Pottery|Reading|Running|Sailing|Singing|Skiing|Swimming|Woodworking|Writing|Yoga",
        ),
    ),
    (
        "Mood.feeling",
        Words(
            "angry|anxious|bored|calm|cheerful|confident|curious|depressed|eager|excited|grateful|happy|hopeful|jealous|lonely|nervous|optimistic|proud|relaxed|sad|satisfied|shy|surprised|tired|worried",
        ),
    ),
    (
        "Restaurant.name",
        As(
            "#{Name.lastName}'s #{Options.option 'Bistro','Café','Diner','Grill','Kitchen','Tavern','House','Pizzeria'}",
        ),
    ),
    (
        "Relationships.any",
        Words(
            "Mother|Father|Sister|Brother|Daughter|Son|Aunt|Uncle|Niece|Nephew|Cousin|Grandmother|Grandfather|Granddaughter|Grandson|Husband|Wife|Mother-in-law|Father-in-law",
        ),
    ),
    (
        "Medical.medicineName",
        Words(
            "Acetaminophen|Amlodipine|Amoxicillin|Atorvastatin|Azithromycin|Cetirizine|Ciprofloxacin|Diclofenac|Doxycycline|Fluoxetine|Gabapentin|Ibuprofen|Insulin|Levothyroxine|Lisinopril|Losartan|Metformin|Metoprolol|Omeprazole|Prednisone|Salbutamol|Sertraline|Simvastatin|Warfarin",
        ),
    ),
    (
        "Medical.symptoms",
        Words(
            "Back pain|Chills|Cough|Dizziness|Fatigue|Fever|Headache|Insomnia|Joint pain|Loss of appetite|Muscle cramps|Nausea|Rash|Runny nose|Shortness of breath|Sore throat|Stomach ache|Sweating|Swelling|Vomiting",
        ),
    ),
    ("Measurement.length", Words("inch|foot|yard|mile|meter|kilometer")),
    ("Measurement.weight", Words("ounce|pound|gram|kilogram|ton")),
    ("Compass.direction", Words("north|northeast|east|southeast|south|southwest|west|northwest")),
    (
        "Artist.name",
        Words(
            "Donatello|Botticelli|Michelangelo|Raphael|Titian|Dürer|Caravaggio|Rubens|Velázquez|Rembrandt|Vermeer|Hogarth|Gainsborough|Goya|Constable|Turner|Manet|Monet|Renoir|Cézanne|Rodin|Van Gogh|Gauguin|Seurat|Matisse|Munch|Toulouse-Lautrec|Degas|Kandinsky|Brâncuși|Picasso|Kahlo|Dalí|Warhol|Portinari|Tarsila do Amaral",
        ),
    ),
];
