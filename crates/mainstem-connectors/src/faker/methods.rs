//! The methods of the providers, by datafaker's names.
//! Invariant: every entry compiles in every locale (a test does it). Adding a method is one line.

use mainstem_core::{Error, Result};

use super::checked::{Checked, IBANS};
use super::data::fold;
use super::data::words as w;
use super::maker::{Maker, Mask};
use super::moment::{Moment, Style, parse_nanos, span_ms};
use super::providers::Recipe::{As, Local, Make, Template, Words};
use super::providers::{Call, Recipe};
use super::regexify::Regex;

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
];

fn no_arguments(call: &Call<'_>, maker: Maker) -> Result<Maker> {
    call.at_most(0).map(|()| maker)
}

fn checked(call: &Call<'_>, checked: Checked) -> Result<Maker> {
    no_arguments(call, Maker::Checked(checked))
}

fn checked_formatted(call: &Call<'_>, make: fn(bool) -> Checked) -> Result<Maker> {
    call.at_most(1)?;
    Ok(Maker::Checked(make(call.boolean(0, true)?)))
}

fn regexify(call: &Call<'_>) -> Result<Maker> {
    call.at_least(1, "#{regexify '[a-z]{3}'}")?;
    call.at_most(1)?;
    Ok(Maker::Regex(Regex::parse(call.text(0, ""))?))
}

fn bothify(call: &Call<'_>) -> Result<Maker> {
    call.at_least(1, "#{bothify '??-###'}")?;
    call.at_most(2)?;
    Ok(Mask::parse(call.text(0, ""), "#Ø?", call.boolean(1, false)?))
}

fn numerify(call: &Call<'_>) -> Result<Maker> {
    call.at_least(1, "#{numerify '###'}")?;
    call.at_most(1)?;
    Ok(Mask::parse(call.text(0, ""), "#Ø", false))
}

fn letterify(call: &Call<'_>) -> Result<Maker> {
    call.at_least(1, "#{letterify '???'}")?;
    call.at_most(2)?;
    Ok(Mask::parse(call.text(0, ""), "?", call.boolean(1, false)?))
}

fn examplify(call: &Call<'_>) -> Result<Maker> {
    call.at_least(1, "#{examplify 'AB-123'}")?;
    call.at_most(1)?;
    Ok(Mask::example(call.text(0, "")))
}

/// `'text', 'placeholder', 'option', ...`: each placeholder in the text becomes one of the options.
fn templatify(call: &Call<'_>) -> Result<Maker> {
    call.at_least(3, "#{templatify 'te?t','?','s','x'}")?;
    let mut placeholder = call.text(1, "").chars();
    let (Some(mark), None) = (placeholder.next(), placeholder.next()) else {
        return Err(call.wrong(call.text(1, ""), "one character"));
    };
    let options =
        Maker::Word(call.directive.arguments[2..].iter().map(|o| o.as_str().into()).collect());
    let mut parts = Vec::new();
    for (i, text) in call.text(0, "").split(mark).enumerate() {
        if i > 0 {
            parts.push(options.clone());
        }
        parts.push(Maker::Text(text.into()));
    }
    Ok(Maker::Sequence(parts.into()))
}

fn option(call: &Call<'_>) -> Result<Maker> {
    call.at_least(1, "#{Options.option 'A','B'}")?;
    Ok(Maker::Word(call.directive.arguments.iter().map(|o| o.as_str().into()).collect()))
}

fn folded(list: &str) -> Maker {
    Maker::Word(list.split('|').map(|word| fold(word).into()).collect())
}

fn username(call: &Call<'_>) -> Result<Maker> {
    call.at_most(0)?;
    let (first, last) = (call.locale.text("first_names")?, call.locale.text("last_names")?);
    Ok(Maker::Sequence([folded(first), Maker::Text(".".into()), folded(last)].into()))
}

fn email(call: &Call<'_>, domains: &str) -> Result<Maker> {
    call.at_most(0)?;
    let name = username(call)?;
    let numbered = Maker::Sequence([name.clone(), Maker::Whole { min: 1, span: 999 }].into());
    let local = Maker::OneOf([name, numbered].into());
    Ok(Maker::Sequence([local, Maker::Text("@".into()), Maker::words(domains)].into()))
}

fn domain_word(call: &Call<'_>) -> Result<Maker> {
    call.at_most(0)?;
    Ok(folded(call.locale.text("last_names")?))
}

fn domain_name(call: &Call<'_>) -> Result<Maker> {
    let suffix = Maker::words(call.locale.text("domain_suffixes")?);
    Ok(Maker::Sequence([domain_word(call)?, Maker::Text(".".into()), suffix].into()))
}

/// `min length, max length, upper case, special characters, digits`, as datafaker has them.
fn password(call: &Call<'_>) -> Result<Maker> {
    call.at_most(5)?;
    let mut class: Vec<char> = ('a'..='z').collect();
    let mut next = 0;
    let (min, max) = if call.count() >= 2 {
        next = 2;
        (call.size(0, 8)?, call.size(1, 16)?)
    } else {
        (8, 16)
    };
    if min > max {
        return Err(call.wrong(call.text(0, ""), "at most the greatest length"));
    }
    if call.count() > next && call.count() < 2 {
        // The one-argument form says whether digits are used.
        class.extend(if call.boolean(0, true)? { '0'..='9' } else { '1'..='0' });
    } else {
        class.extend(if call.boolean(2, false)? { 'A'..='Z' } else { '1'..='0' });
        class.extend(if call.boolean(3, false)? { "!@#$%^&*".chars() } else { "".chars() });
        class.extend(if call.boolean(4, true)? { '0'..='9' } else { '1'..='0' });
    }
    Ok(Maker::Regex(Regex::Repeat(Box::new(Regex::Class(class)), min, max)))
}

fn degrees(call: &Call<'_>, most: i64) -> Result<Maker> {
    call.at_most(0)?;
    let units = most * 100_000_000;
    Ok(Maker::Fraction { decimals: 8, min_units: -units, span: (2 * units + 1).unsigned_abs() })
}

fn price(call: &Call<'_>) -> Result<Maker> {
    call.at_most(2)?;
    fraction_between(call, 2, call.fraction(0, 0.0)?, call.fraction(1, 100.0)?)
}

fn credit_card(call: &Call<'_>) -> Result<Maker> {
    call.at_most(1)?;
    let all = [("4", 16), ("51", 16), ("55", 16), ("34", 15), ("37", 15), ("6011", 16)];
    let wanted = match call.text(0, "").to_ascii_lowercase().as_str() {
        "" => &all[..],
        "visa" => &all[..1],
        "mastercard" => &all[1..3],
        "american_express" | "amex" => &all[3..5],
        "discover" => &all[5..],
        other => {
            return Err(call.wrong(other, "one of VISA, MASTERCARD, AMERICAN_EXPRESS, DISCOVER"));
        }
    };
    Ok(Maker::Checked(Checked::Card(wanted.to_vec())))
}

/// Of the country given, else of the locale's; where that has none, of any country.
fn iban(call: &Call<'_>) -> Result<Maker> {
    call.at_most(1)?;
    let code = call.text(0, call.locale.country()).to_ascii_uppercase();
    let found: Vec<_> = IBANS.iter().filter(|c| c.code == code).collect();
    if found.is_empty() && call.count() > 0 {
        let known = IBANS.iter().map(|c| c.code).collect::<Vec<_>>().join(", ");
        return Err(call.wrong(&code, &format!("one of {known}")));
    }
    let countries = if found.is_empty() { IBANS.iter().collect() } else { found };
    Ok(Maker::Checked(Checked::Iban(countries)))
}

fn id_number(call: &Call<'_>) -> Result<Maker> {
    checked(
        call,
        match call.locale {
            super::data::Locale::EnUs => Checked::Ssn,
            super::data::Locale::PtBr => Checked::Cpf { formatted: true },
            super::data::Locale::RoRo => Checked::Cnp,
        },
    )
}

fn latin() -> Box<[Box<str>]> {
    w::LATIN.split('|').map(Box::from).collect()
}

fn prose(min: u32, max: u32, sentence: bool) -> Result<Maker> {
    Ok(Maker::Prose { words: latin(), min, max, sentence })
}

fn paragraph(call: &Call<'_>, sentences: u32, more: u32) -> Result<Maker> {
    call.at_most(1)?;
    let maker = Box::new(prose(4, 10, true)?);
    Ok(Maker::Repeat { maker, min: sentences, max: sentences + more, separator: " " })
}

/// `count`, or `least, most`: small letters and digits.
fn characters(call: &Call<'_>) -> Result<Maker> {
    call.at_most(4)?;
    let fallback =
        if call.directive.name.to_ascii_lowercase().ends_with("character") { 1 } else { 255 };
    let min = call.size(0, fallback)?;
    let bounded = call.directive.arguments.get(1).is_some_and(|a| a.trim().parse::<u32>().is_ok());
    let max = if bounded { call.size(1, min)? } else { min };
    let upper = call.boolean(if bounded { 2 } else { 1 }, false)?;
    if min > max {
        return Err(call.wrong(call.text(0, ""), "at most the greatest length"));
    }
    let mut class: Vec<char> = ('a'..='z').chain('0'..='9').collect();
    class.extend(if upper { 'A'..='Z' } else { '1'..='0' });
    Ok(Maker::Regex(Regex::Repeat(Box::new(Regex::Class(class)), min, max)))
}

/// A number of so many digits; as text it keeps its leading zeros.
fn digits(call: &Call<'_>, text: bool) -> Result<Maker> {
    call.at_most(2)?;
    if text {
        call.at_least(1, "#{number.digits '5'}")?;
        return Ok(Maker::Mask((0..call.size(0, 1)?).map(|_| Mask::Digit).collect()));
    }
    let count = call.size(0, 9)?;
    if !(1..=18).contains(&count) {
        return Err(call.wrong(call.text(0, ""), "1 to 18 digits"));
    }
    let end = 10i64.pow(count);
    let min = if call.boolean(1, false)? { end / 10 } else { 0 };
    Ok(Maker::Whole { min, span: (end - min).unsigned_abs() })
}

/// From the first number up to but without the second.
fn number_between(call: &Call<'_>) -> Result<Maker> {
    call.at_least(2, "#{number.numberBetween '1','100'}")?;
    call.at_most(2)?;
    let (min, end) = (call.whole(0, 0)?, call.whole(1, 0)?);
    if min > end {
        return Err(Error::user(format!(
            "'#{{{}}}': {min} is greater than {end}",
            call.directive.name
        )));
    }
    Ok(Maker::Whole { min, span: end.wrapping_sub(min).cast_unsigned().max(1) })
}

fn next_int(call: &Call<'_>) -> Result<Maker> {
    call.at_most(2)?;
    match call.count() {
        0 => Ok(Maker::Whole { min: 0, span: i32::MAX as u64 }),
        1 => Ok(Maker::Whole { min: 0, span: call.whole(0, 1)?.max(1).unsigned_abs() }),
        _ => {
            let (min, max) = (call.whole(0, 0)?, call.whole(1, 0)?);
            if min > max {
                return Err(call.wrong(call.text(0, ""), "at most the greatest number"));
            }
            Ok(Maker::Whole { min, span: max.wrapping_sub(min).cast_unsigned().wrapping_add(1) })
        }
    }
}

/// `decimals, least, greatest`.
fn random_double(call: &Call<'_>) -> Result<Maker> {
    call.at_least(3, "#{number.randomDouble '2','1','100'}")?;
    call.at_most(3)?;
    let decimals = call.whole(0, 2)?;
    let decimals = u8::try_from(decimals)
        .ok()
        .filter(|d| *d <= 15)
        .ok_or_else(|| call.wrong(call.text(0, ""), "0 to 15 decimals"))?;
    fraction_between(call, decimals, call.fraction(1, 0.0)?, call.fraction(2, 0.0)?)
}

fn fraction_between(call: &Call<'_>, decimals: u8, min: f64, max: f64) -> Result<Maker> {
    let factor = 10f64.powi(i32::from(decimals));
    let (min_units, max_units) = ((min * factor).round(), (max * factor).round());
    if min > max || min_units.abs().max(max_units.abs()) > 9e18 {
        return Err(Error::user(format!(
            "'#{{{}}}' cannot go from {min} to {max}",
            call.directive.name
        ))
        .with_hint("the least number comes first; both times 10^decimals stay below 9e18"));
    }
    let (min_units, max_units) = (min_units as i64, max_units as i64);
    let span = max_units.wrapping_sub(min_units).cast_unsigned() + 1;
    Ok(Maker::Fraction { decimals, min_units, span })
}

/// `number, unit[, pattern]` or `number, least number, unit[, pattern]`; without arguments up to a year.
fn around(call: &Call<'_>, direction: i64, style: Style) -> Result<Maker> {
    call.at_most(4)?;
    let unit_at = match (call.count(), call.text(1, "").trim().parse::<i64>()) {
        (0, _) => {
            let span_ms = 365 * 86_400_000;
            let min_ms = if direction < 0 { -(span_ms as i64) } else { 1 };
            return Ok(Maker::Moment(Moment::Around { min_ms, span_ms }, style));
        }
        (_, Ok(_)) => 2,
        _ => 1,
    };
    call.at_least(unit_at + 1, "#{date.past '30','SECONDS'}")?;
    let unit = call.text(unit_at, "");
    let most = span_ms(call.whole(0, 0)?, unit)?;
    let least = if unit_at == 2 { span_ms(call.whole(1, 0)?, unit)? } else { 0 };
    if least < 0 || most < least {
        return Err(
            call.wrong(call.text(0, ""), "at least the second number, and both not negative")
        );
    }
    let span = (most - least).unsigned_abs().max(1);
    let min_ms = if direction < 0 { -(least + span.cast_signed()) } else { least };
    // A least distance of 0 means "before now" and "after now", not now itself.
    let min_ms = if least == 0 && direction > 0 { 1 } else { min_ms };
    let style = match call.directive.arguments.get(unit_at + 1) {
        Some(pattern) => Style::pattern(pattern)?,
        None => style,
    };
    Ok(Maker::Moment(Moment::Around { min_ms, span_ms: span }, style))
}

/// `from, to[, pattern]`.
fn date_between(call: &Call<'_>, style: Style) -> Result<Maker> {
    call.at_least(2, "#{date.between '2025-01-01','2026-01-01'}")?;
    call.at_most(3)?;
    let ms = |index: usize| -> Result<i64> {
        let text = call.text(index, "");
        parse_nanos(text)
            .and_then(|n| i64::try_from(n.div_euclid(1_000_000)).ok())
            .ok_or_else(|| call.wrong(text, "a time such as 2026-01-01 00:00:00"))
    };
    let (from_ms, to_ms) = (ms(0)?, ms(1)?);
    if to_ms <= from_ms {
        return Err(call.wrong(call.text(1, ""), "after the first"));
    }
    let style = if call.count() > 2 { Style::pattern(call.text(2, ""))? } else { style };
    Ok(Maker::Moment(Moment::Between { from_ms, span_ms: (to_ms - from_ms).unsigned_abs() }, style))
}

/// `least age, greatest age[, pattern]` or a pattern only.
fn birthday(call: &Call<'_>, style: Style) -> Result<Maker> {
    call.at_most(3)?;
    let (ages, pattern) = match call.count() {
        0 => (false, None),
        1 => (false, Some(call.text(0, ""))),
        _ => (true, call.directive.arguments.get(2).map(String::as_str)),
    };
    let (min_years, max_years) =
        if ages { (call.whole(0, 18)?, call.whole(1, 65)?) } else { (18, 65) };
    if min_years < 0 || max_years < min_years || max_years > 1000 {
        return Err(call.wrong(call.text(0, ""), "an age below the greatest age"));
    }
    let style = pattern.map_or(Ok(style), Style::pattern)?;
    Ok(Maker::Moment(Moment::Birthday { min_years, max_years }, style))
}

/// `start[, step]`: row by row.
fn sequence_number(call: &Call<'_>) -> Result<Maker> {
    call.at_most(2)?;
    Ok(Maker::Count { start: call.whole(0, 1)?, step: call.whole(1, 1)? })
}

/// `start[, step in ms[, pattern]]`: row by row.
fn sequence_timestamp(call: &Call<'_>) -> Result<Maker> {
    call.at_least(1, "#{sequence.timestamp '2026-01-01 00:00:00','1'}")?;
    call.at_most(3)?;
    let start = call.text(0, "");
    let start_ms = parse_nanos(start)
        .and_then(|n| i64::try_from(n.div_euclid(1_000_000)).ok())
        .ok_or_else(|| call.wrong(start, "a time such as 2026-01-01 00:00:00"))?;
    let style = if call.count() > 2 { Style::pattern(call.text(2, ""))? } else { Style::Sql };
    Ok(Maker::Moment(Moment::Steps { start_ms, step_ms: call.whole(1, 1)? }, style))
}
