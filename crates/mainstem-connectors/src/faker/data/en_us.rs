//! English, United States. Has every list.

macro_rules! male {
    () => {
        "James|John|Robert|Michael|William|David|Richard|Joseph|Thomas|Charles|Christopher|Daniel|Matthew|Anthony|Mark|Donald|Steven|Paul|Andrew|Joshua|Kenneth|Kevin|Brian|George|Edward|Ronald|Timothy|Jason|Jeffrey|Ryan|Jacob|Gary|Nicholas|Eric|Jonathan|Stephen|Larry|Justin|Scott|Brandon|Benjamin|Samuel|Gregory|Frank|Alexander|Raymond|Patrick|Jack|Dennis|Jerry|Tyler|Aaron|Jose|Adam|Henry|Nathan|Douglas|Zachary|Peter|Kyle|Walter|Ethan|Jeremy|Harold|Keith|Christian|Roger|Noah|Gerald|Carl|Terry|Sean|Austin|Arthur|Lawrence|Jesse|Dylan|Bryan|Joe|Jordan|Billy|Bruce|Albert|Willie|Gabriel|Logan|Alan|Juan|Wayne|Roy|Ralph|Randy|Eugene|Vincent|Russell|Elijah|Louis|Bobby|Philip|Johnny"
    };
}

macro_rules! female {
    () => {
        "Mary|Patricia|Jennifer|Linda|Elizabeth|Barbara|Susan|Jessica|Sarah|Karen|Nancy|Lisa|Betty|Margaret|Sandra|Ashley|Kimberly|Emily|Donna|Michelle|Dorothy|Carol|Amanda|Melissa|Deborah|Stephanie|Rebecca|Sharon|Laura|Cynthia|Kathleen|Amy|Shirley|Angela|Helen|Anna|Brenda|Pamela|Nicole|Emma|Samantha|Katherine|Christine|Debra|Rachel|Catherine|Carolyn|Janet|Ruth|Maria|Heather|Diane|Virginia|Julie|Joyce|Victoria|Olivia|Kelly|Christina|Lauren|Joan|Evelyn|Judith|Megan|Cheryl|Andrea|Hannah|Martha|Jacqueline|Frances|Gloria|Ann|Teresa|Kathryn|Sara|Janice|Jean|Alice|Madison|Doris|Abigail|Julia|Judy|Grace|Denise|Amber|Marilyn|Beverly|Danielle|Theresa|Sophia|Marie|Diana|Brittany|Natalie|Isabella|Charlotte|Rose|Alexis|Kayla"
    };
}

pub(super) const LISTS: &[(&str, &str)] = &[
    ("male_names", male!()),
    ("female_names", female!()),
    ("first_names", concat!(male!(), "|", female!())),
    (
        "last_names",
        "Smith|Johnson|Williams|Brown|Jones|Garcia|Miller|Davis|Rodriguez|Martinez|Hernandez|Lopez|Gonzalez|Wilson|Anderson|Thomas|Taylor|Moore|Jackson|Martin|Lee|Perez|Thompson|White|Harris|Sanchez|Clark|Ramirez|Lewis|Robinson|Walker|Young|Allen|King|Wright|Scott|Torres|Nguyen|Hill|Flores|Green|Adams|Nelson|Baker|Hall|Rivera|Campbell|Mitchell|Carter|Roberts|Gomez|Phillips|Evans|Turner|Diaz|Parker|Cruz|Edwards|Collins|Reyes|Stewart|Morris|Morales|Murphy|Cook|Rogers|Gutierrez|Ortiz|Morgan|Cooper|Peterson|Bailey|Reed|Kelly|Howard|Ramos|Kim|Cox|Ward|Richardson|Watson|Brooks|Chavez|Wood|James|Bennett|Gray|Mendoza|Ruiz|Hughes|Price|Alvarez|Castillo|Sanders|Patel|Myers|Long|Ross|Foster|Jimenez|Powell|Jenkins|Perry|Russell|Sullivan|Bell|Coleman|Butler|Henderson|Barnes|Fisher|Vasquez|Simmons|Graham|Murray|Ford|Hamilton|Wallace|West|O'Connor|McDonald",
    ),
    ("prefixes", "Mr.|Mrs.|Ms.|Miss|Dr."),
    ("suffixes", "Jr.|Sr.|I|II|III|IV|V|MD|DDS|PhD|DVM"),
    (
        "full_name",
        "#{Name.firstName} #{Name.lastName}|#{Name.firstName} #{Name.lastName}|#{Name.firstName} #{Name.lastName}|#{Name.firstName} #{Name.lastName}|#{Name.prefix} #{Name.firstName} #{Name.lastName}|#{Name.firstName} #{Name.lastName} #{Name.suffix}",
    ),
    (
        "name_with_middle",
        "#{Name.firstName} #{Name.firstName} #{Name.lastName}|#{Name.firstName} #{Name.lastName} #{Name.lastName}",
    ),
    (
        "phone",
        "#{regexify '[2-9]\\d{2}'}-#{regexify '[2-9]\\d{2}'}-#{numerify '####'}|(#{regexify '[2-9]\\d{2}'}) #{regexify '[2-9]\\d{2}'}-#{numerify '####'}|#{regexify '[2-9]\\d{2}'}.#{regexify '[2-9]\\d{2}'}.#{numerify '####'}|+1 #{regexify '[2-9]\\d{2}'}-#{regexify '[2-9]\\d{2}'}-#{numerify '####'}",
    ),
    (
        "cell_phone",
        "#{regexify '[2-9]\\d{2}'}-#{regexify '[2-9]\\d{2}'}-#{numerify '####'}|(#{regexify '[2-9]\\d{2}'}) #{regexify '[2-9]\\d{2}'}-#{numerify '####'}",
    ),
    (
        "full_address",
        "#{Address.streetAddress}, #{Address.city}, #{Address.stateAbbr} #{Address.zipCode}|#{Address.secondaryAddress} #{Address.streetAddress}, #{Address.city}, #{Address.stateAbbr} #{Address.zipCode}",
    ),
    ("street_address", "#{Address.buildingNumber} #{Address.streetName}"),
    (
        "street_name",
        "#{Name.firstName} #{Address.streetSuffix}|#{Name.lastName} #{Address.streetSuffix}",
    ),
    ("street_prefixes", "North|South|East|West|Upper|Lower"),
    (
        "street_suffixes",
        "Alley|Avenue|Bend|Boulevard|Bridge|Bypass|Circle|Court|Cove|Creek|Crossing|Drive|Estates|Expressway|Fields|Forest|Gardens|Grove|Heights|Highway|Hill|Hollow|Island|Junction|Lake|Landing|Lane|Loop|Meadows|Mill|Mountain|Oval|Park|Parkway|Pass|Path|Pike|Place|Plaza|Point|Ridge|River|Road|Route|Shore|Spring|Square|Street|Summit|Terrace|Trail|Tunnel|Turnpike|Valley|View|Village|Vista|Walk|Way",
    ),
    ("secondary_address", "Apt. #{numerify '###'}|Suite #{numerify '###'}"),
    ("building_number", "#{numerify 'Ø####'}|#{numerify 'Ø###'}|#{numerify 'Ø##'}"),
    (
        "cities",
        "New York|Los Angeles|Chicago|Houston|Phoenix|Philadelphia|San Antonio|San Diego|Dallas|San Jose|Austin|Jacksonville|Fort Worth|Columbus|Charlotte|San Francisco|Indianapolis|Seattle|Denver|Washington|Boston|El Paso|Nashville|Detroit|Oklahoma City|Portland|Las Vegas|Memphis|Louisville|Baltimore|Milwaukee|Albuquerque|Tucson|Fresno|Sacramento|Kansas City|Mesa|Atlanta|Omaha|Colorado Springs|Raleigh|Miami|Long Beach|Virginia Beach|Oakland|Minneapolis|Tulsa|Tampa|Arlington|New Orleans|Wichita|Bakersfield|Cleveland|Aurora|Anaheim|Honolulu|Santa Ana|Riverside|Corpus Christi|Lexington|Stockton|St. Louis|Saint Paul|Henderson|Pittsburgh|Cincinnati|Anchorage|Greensboro|Plano|Newark|Lincoln|Orlando|Irvine|Toledo|Jersey City|Chula Vista|Durham|Fort Wayne|St. Petersburg|Laredo|Buffalo|Madison|Lubbock|Chandler|Scottsdale|Reno|Norfolk|Gilbert|Boise|Richmond|Spokane|Baton Rouge|Tacoma|Des Moines|Rochester|Salt Lake City|Little Rock|Providence|Cheyenne|Fargo|Burlington",
    ),
    (
        "states",
        "Alabama|Alaska|Arizona|Arkansas|California|Colorado|Connecticut|Delaware|Florida|Georgia|Hawaii|Idaho|Illinois|Indiana|Iowa|Kansas|Kentucky|Louisiana|Maine|Maryland|Massachusetts|Michigan|Minnesota|Mississippi|Missouri|Montana|Nebraska|Nevada|New Hampshire|New Jersey|New Mexico|New York|North Carolina|North Dakota|Ohio|Oklahoma|Oregon|Pennsylvania|Rhode Island|South Carolina|South Dakota|Tennessee|Texas|Utah|Vermont|Virginia|Washington|West Virginia|Wisconsin|Wyoming",
    ),
    (
        "state_abbrs",
        "AL|AK|AZ|AR|CA|CO|CT|DE|FL|GA|HI|ID|IL|IN|IA|KS|KY|LA|ME|MD|MA|MI|MN|MS|MO|MT|NE|NV|NH|NJ|NM|NY|NC|ND|OH|OK|OR|PA|RI|SC|SD|TN|TX|UT|VT|VA|WA|WV|WI|WY",
    ),
    ("zip_code", "#{numerify '#####'}|#{numerify '#####'}|#{numerify '#####-####'}"),
    ("email_domains", "gmail.com|yahoo.com|hotmail.com|outlook.com|icloud.com"),
    ("domain_suffixes", "com|biz|info|name|net|org|co|io"),
    (
        "company",
        "#{Name.lastName} #{Company.suffix}|#{Name.lastName}-#{Name.lastName}|#{Name.lastName}, #{Name.lastName} and #{Name.lastName}",
    ),
    ("company_suffixes", "Inc|and Sons|LLC|Group|Corp|Holdings"),
    ("license_plate", "#{regexify '[A-Z]{3}-[0-9]{4}'}|#{regexify '[0-9][A-Z]{3}[0-9]{3}'}"),
];
