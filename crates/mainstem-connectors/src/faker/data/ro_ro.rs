//! Romanian, Romania.

macro_rules! male {
    () => {
        "Adrian|Alexandru|Andrei|Anton|Augustin|Aurel|Bogdan|Călin|Cătălin|Cezar|Ciprian|Claudiu|Constantin|Cornel|Cosmin|Cristian|Dan|Daniel|Dănuț|David|Denis|Dorin|Dragoș|Dumitru|Eduard|Emanuel|Emil|Eugen|Felix|Filip|Flavius|Florin|Gabriel|George|Gheorghe|Grigore|Horia|Horațiu|Iacob|Ilie|Ion|Ionuț|Iulian|Laurențiu|Liviu|Lucian|Marian|Marius|Matei|Mihai|Mihail|Mircea|Nicolae|Octavian|Ovidiu|Paul|Pavel|Petre|Petru|Radu|Răzvan|Remus|Robert|Sabin|Sebastian|Sergiu|Silviu|Sorin|Ștefan|Teodor|Tiberiu|Toma|Traian|Tudor|Valentin|Vasile|Victor|Viorel|Vlad|Vladimir"
    };
}

macro_rules! female {
    () => {
        "Adela|Adina|Adriana|Alexandra|Alina|Ana|Anca|Andreea|Angela|Antonia|Aurelia|Bianca|Camelia|Carmen|Catinca|Cătălina|Clara|Claudia|Constanța|Corina|Cornelia|Crina|Cristina|Dana|Daniela|Daria|Delia|Diana|Doina|Dorina|Ecaterina|Elena|Eliza|Emilia|Eugenia|Eva|Felicia|Florentina|Gabriela|Georgiana|Ileana|Ilinca|Ioana|Irina|Iulia|Larisa|Laura|Lavinia|Lidia|Liliana|Loredana|Lucia|Luminița|Magdalena|Maria|Mariana|Marina|Mădălina|Mihaela|Mirela|Monica|Nadia|Nicoleta|Oana|Olga|Paula|Petronela|Raluca|Ramona|Roxana|Ruxandra|Sabina|Silvia|Simona|Sofia|Sonia|Ștefania|Teodora|Valentina|Victoria|Viorica|Zoe"
    };
}

pub(super) const LISTS: &[(&str, &str)] = &[
    ("male_names", male!()),
    ("female_names", female!()),
    ("first_names", concat!(male!(), "|", female!())),
    (
        "last_names",
        "Popa|Popescu|Ionescu|Pop|Radu|Dumitru|Stan|Stoica|Gheorghe|Matei|Rusu|Ciobanu|Mihai|Constantin|Marin|Șerban|Lazăr|Dinu|Florea|Munteanu|Dobre|Barbu|Stanciu|Nistor|Moldovan|Ene|Tudor|Cristea|Neagu|Diaconu|Mocanu|Oprea|Voicu|Suciu|Toma|Ungureanu|Manole|Roșu|Ilie|Enache|Sandu|Vasile|Georgescu|Marinescu|Stănescu|Dumitrescu|Constantinescu|Petrescu|Iordache|Tănase|Grigore|Dragomir|Anghel|Albu|Avram|Balan|Bucur|Cojocaru|Coman|Costea|Crăciun|Damian|Dragan|Filip|Fodor|Ghiță|Iancu|Kovacs|Luca|Lupu|Manea|Micu|Mureșan|Nagy|Nedelcu|Nemeș|Nicolae|Olaru|Olteanu|Pavel|Păun|Pârvu|Preda|Roman|Rotaru|Sârbu|Simion|Solomon|Szabo|Ștefan|Tomescu|Trifan|Țurcanu|Ursu|Vlad|Zamfir",
    ),
    ("prefixes", "Dl.|Dna.|Dra.|Dr.|Ing.|Prof."),
    ("suffixes", "Jr.|Sr."),
    ("full_name", "#{Name.firstName} #{Name.lastName}"),
    (
        "phone",
        "02#{regexify '[1-6]\\d'} #{numerify '### ###'}|021 #{numerify '### ## ##'}|03#{regexify '[1-6]\\d'} #{numerify '### ###'}|07#{regexify '[2-8]\\d'} #{numerify '### ###'}|+40 7#{regexify '[2-8]\\d'} #{numerify '### ###'}",
    ),
    (
        "cell_phone",
        "07#{regexify '[2-8]\\d'} #{numerify '### ###'}|+40 7#{regexify '[2-8]\\d'} #{numerify '### ###'}",
    ),
    (
        "full_address",
        "#{Address.streetAddress}, #{Address.city}, jud. #{Address.state}, #{Address.zipCode}|#{Address.streetAddress}, #{Address.secondaryAddress}, #{Address.city}, jud. #{Address.state}, #{Address.zipCode}",
    ),
    ("street_address", "#{Address.streetName} nr. #{Address.buildingNumber}"),
    ("street_name", "#{Address.streetPrefix} #{Address.streetSuffix}"),
    (
        "street_prefixes",
        "Strada|Strada|Strada|Bulevardul|Aleea|Calea|Intrarea|Piața|Șoseaua|Splaiul",
    ),
    (
        "street_suffixes",
        "Mihai Eminescu|Nicolae Bălcescu|Unirii|Victoriei|Independenței|1 Decembrie 1918|Avram Iancu|Tudor Vladimirescu|Alexandru Ioan Cuza|Ștefan cel Mare|Mihai Viteazul|Mihail Kogălniceanu|Ion Creangă|George Coșbuc|Vasile Alecsandri|Liviu Rebreanu|Lucian Blaga|George Enescu|Nicolae Iorga|Decebal|Traian|Horea|Cloșca|Crișan|Libertății|Republicii|Păcii|Primăverii|Florilor|Trandafirilor|Teilor|Castanilor|Plopilor|Stejarului|Izvorului|Morii|Gării|Școlii|Bisericii|Viilor|Livezilor|Câmpului|Dunării|Oltului|Mureșului|Someșului|Carpați|Zorilor|Aurel Vlaicu|Octavian Goga",
    ),
    (
        "secondary_address",
        "bl. #{regexify '[A-Z][1-9]?'}, sc. #{regexify '[A-F]'}, ap. #{numerify 'Ø#'}|bl. #{numerify 'Ø#'}, et. #{numerify 'Ø'}, ap. #{numerify 'Ø#'}|ap. #{numerify 'Ø'}",
    ),
    ("building_number", "#{numerify 'Ø##'}|#{numerify 'Ø#'}|#{numerify 'Ø'}|#{numerify 'Ø#'}A"),
    (
        "cities",
        "București|Cluj-Napoca|Timișoara|Iași|Constanța|Craiova|Brașov|Galați|Ploiești|Oradea|Brăila|Arad|Pitești|Sibiu|Bacău|Târgu Mureș|Baia Mare|Buzău|Botoșani|Satu Mare|Râmnicu Vâlcea|Drobeta-Turnu Severin|Suceava|Piatra Neamț|Târgu Jiu|Târgoviște|Focșani|Bistrița|Tulcea|Reșița|Slatina|Călărași|Alba Iulia|Giurgiu|Deva|Hunedoara|Zalău|Sfântu Gheorghe|Bârlad|Vaslui|Roman|Turda|Mediaș|Slobozia|Alexandria|Voluntari|Lugoj|Medgidia|Onești|Miercurea Ciuc|Sighetu Marmației|Petroșani|Mangalia|Tecuci|Odorheiu Secuiesc|Râmnicu Sărat|Pașcani|Dej|Reghin|Năvodari|Câmpina|Mioveni|Câmpulung|Caracal|Săcele|Făgăraș|Fetești|Sighișoara|Borșa|Roșiorii de Vede|Curtea de Argeș|Sebeș|Huși|Fălticeni|Pantelimon|Oltenița|Turnu Măgurele|Caransebeș|Dorohoi|Rădăuți",
    ),
    (
        "states",
        "Alba|Arad|Argeș|Bacău|Bihor|Bistrița-Năsăud|Botoșani|Brașov|Brăila|București|Buzău|Caraș-Severin|Călărași|Cluj|Constanța|Covasna|Dâmbovița|Dolj|Galați|Giurgiu|Gorj|Harghita|Hunedoara|Ialomița|Iași|Ilfov|Maramureș|Mehedinți|Mureș|Neamț|Olt|Prahova|Satu Mare|Sălaj|Sibiu|Suceava|Teleorman|Timiș|Tulcea|Vaslui|Vâlcea|Vrancea",
    ),
    (
        "state_abbrs",
        "AB|AR|AG|BC|BH|BN|BT|BV|BR|B|BZ|CS|CL|CJ|CT|CV|DB|DJ|GL|GR|GJ|HR|HD|IL|IS|IF|MM|MH|MS|NT|OT|PH|SM|SJ|SB|SV|TR|TM|TL|VS|VL|VN",
    ),
    ("zip_code", "#{numerify 'Ø#####'}"),
    ("email_domains", "gmail.com|yahoo.com|yahoo.ro|hotmail.com|outlook.com"),
    ("domain_suffixes", "ro|com.ro|org.ro|com|net|eu"),
    (
        "company",
        "#{Name.lastName} #{Company.suffix}|#{Name.lastName} și #{Name.lastName} #{Company.suffix}|#{Name.lastName}-#{Name.lastName} #{Company.suffix}",
    ),
    ("company_suffixes", "S.R.L.|S.A.|S.N.C.|P.F.A.|și Fiii"),
    ("license_plate", "#{Address.stateAbbr} #{regexify '[0-9]{2} [A-Z]{3}'}"),
];
