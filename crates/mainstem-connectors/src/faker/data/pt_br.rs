//! Portuguese, Brazil.

macro_rules! male {
    () => {
        "Miguel|Arthur|Gael|Heitor|Theo|Davi|Gabriel|Bernardo|Samuel|João|Enzo|Pedro|Lorenzo|Lucas|Benício|Nicolas|Guilherme|Rafael|Joaquim|Matheus|Henrique|Felipe|Gustavo|Murilo|Leonardo|Eduardo|Vitor|Daniel|Antônio|José|Carlos|Paulo|Francisco|Luiz|Marcos|Bruno|Rodrigo|André|Fernando|Fábio|Marcelo|Ricardo|Roberto|Sérgio|Thiago|Vinícius|Diego|Leandro|Alexandre|Márcio|Jorge|Renato|Caio|Caíque|Otávio|Igor|Raul|Ruan|Emanuel|Anderson|Washington|Wesley|Cauã|Breno|Tomás|Ivan|Hugo|Elias|Danilo|Mauro"
    };
}

macro_rules! female {
    () => {
        "Helena|Alice|Laura|Maria|Sophia|Manuela|Maitê|Liz|Cecília|Isabella|Luísa|Eloá|Heloísa|Júlia|Ayla|Lívia|Lorena|Antonella|Valentina|Beatriz|Ana|Clara|Letícia|Mariana|Larissa|Camila|Fernanda|Amanda|Bruna|Jéssica|Juliana|Patrícia|Aline|Adriana|Vanessa|Márcia|Luciana|Cristina|Sandra|Renata|Débora|Carolina|Rafaela|Gabriela|Isadora|Vitória|Yasmin|Natália|Bianca|Raquel|Simone|Cláudia|Elisa|Flávia|Mônica|Tatiana|Priscila|Rosa|Silvana|Teresa|Alícia|Emanuelly|Sara|Rebeca|Catarina|Agatha|Marina|Melissa|Nicole|Pietra"
    };
}

pub(super) const LISTS: &[(&str, &str)] = &[
    ("male_names", male!()),
    ("female_names", female!()),
    ("first_names", concat!(male!(), "|", female!())),
    (
        "last_names",
        "Silva|Santos|Oliveira|Souza|Rodrigues|Ferreira|Alves|Pereira|Lima|Gomes|Costa|Ribeiro|Martins|Carvalho|Almeida|Lopes|Soares|Fernandes|Vieira|Barbosa|Rocha|Dias|Nascimento|Andrade|Moreira|Nunes|Marques|Machado|Mendes|Freitas|Cardoso|Ramos|Gonçalves|Santana|Teixeira|Araújo|Melo|Barros|Cavalcanti|Correia|Pinto|Moura|Batista|Campos|Castro|Monteiro|Borges|Miranda|Farias|Azevedo|Cunha|Duarte|Reis|Pires|Xavier|Braga|Macedo|Siqueira|Coelho|Guimarães|Saraiva|Albuquerque|Carneiro|Franco|Muniz|Viana|Rezende|Peixoto|Sales|Tavares|Assis|Bezerra|Aragão|Antunes|Nogueira|Paiva|Queiroz|Sampaio|Toledo|Vasconcelos",
    ),
    ("prefixes", "Sr.|Sra.|Srta.|Dr.|Dra."),
    ("suffixes", "Jr.|Neto|Filho|Sobrinho"),
    (
        "full_name",
        "#{Name.firstName} #{Name.lastName}|#{Name.firstName} #{Name.lastName}|#{Name.firstName} #{Name.lastName} #{Name.lastName}|#{Name.firstName} #{Name.lastName} de #{Name.lastName}|#{Name.prefix} #{Name.firstName} #{Name.lastName}|#{Name.firstName} #{Name.lastName} #{Name.suffix}",
    ),
    (
        "phone",
        "(#{regexify '[1-9][1-9]'}) #{regexify '[2-5]\\d{3}'}-#{numerify '####'}|(#{regexify '[1-9][1-9]'}) 9#{numerify '####-####'}|+55 #{regexify '[1-9][1-9]'} 9#{numerify '####-####'}",
    ),
    (
        "cell_phone",
        "(#{regexify '[1-9][1-9]'}) 9#{numerify '####-####'}|+55 #{regexify '[1-9][1-9]'} 9#{numerify '####-####'}",
    ),
    (
        "full_address",
        "#{Address.streetAddress}, #{Address.city} - #{Address.stateAbbr}, #{Address.zipCode}|#{Address.streetAddress}, #{Address.secondaryAddress}, #{Address.city} - #{Address.stateAbbr}, #{Address.zipCode}",
    ),
    ("street_address", "#{Address.streetName}, #{Address.buildingNumber}"),
    (
        "street_name",
        "#{Address.streetSuffix} #{Name.firstName} #{Name.lastName}|#{Address.streetSuffix} #{Name.lastName}|Rua #{Name.firstName} #{Name.lastName}",
    ),
    ("street_prefixes", "Rua|Avenida|Travessa|Alameda|Praça|Rodovia"),
    ("street_suffixes", "Rua|Avenida|Travessa|Alameda|Praça|Rodovia|Viela|Marginal|Largo|Estrada"),
    (
        "secondary_address",
        "Apto. #{numerify 'Ø##'}|Bloco #{regexify '[A-F]'}|Casa #{numerify 'Ø'}|Sobrado #{numerify 'Ø'}",
    ),
    (
        "building_number",
        "#{numerify 'Ø####'}|#{numerify 'Ø###'}|#{numerify 'Ø##'}|#{numerify 'Ø#'}|s/n",
    ),
    (
        "cities",
        "São Paulo|Rio de Janeiro|Brasília|Salvador|Fortaleza|Belo Horizonte|Manaus|Curitiba|Recife|Goiânia|Belém|Porto Alegre|Guarulhos|Campinas|São Luís|São Gonçalo|Maceió|Duque de Caxias|Campo Grande|Natal|Teresina|São Bernardo do Campo|Nova Iguaçu|João Pessoa|São José dos Campos|Santo André|Ribeirão Preto|Jaboatão dos Guararapes|Osasco|Uberlândia|Contagem|Sorocaba|Aracaju|Feira de Santana|Cuiabá|Joinville|Aparecida de Goiânia|Londrina|Juiz de Fora|Ananindeua|Porto Velho|Serra|Niterói|Belford Roxo|Caxias do Sul|Campos dos Goytacazes|Macapá|Florianópolis|Vila Velha|Mauá|São João de Meriti|São José do Rio Preto|Mogi das Cruzes|Betim|Santos|Diadema|Maringá|Jundiaí|Campina Grande|Montes Claros|Rio Branco|Piracicaba|Carapicuíba|Boa Vista|Olinda|Anápolis|Cariacica|Bauru|Vitória|Caucaia|Itaquaquecetuba|São Vicente|Caruaru|Vitória da Conquista|Blumenau|Franca|Pelotas|Ponta Grossa|Canoas|Petrolina|Uberaba|Paulista|Cascavel|Petrópolis|Palmas",
    ),
    (
        "states",
        "Acre|Alagoas|Amapá|Amazonas|Bahia|Ceará|Distrito Federal|Espírito Santo|Goiás|Maranhão|Mato Grosso|Mato Grosso do Sul|Minas Gerais|Pará|Paraíba|Paraná|Pernambuco|Piauí|Rio de Janeiro|Rio Grande do Norte|Rio Grande do Sul|Rondônia|Roraima|Santa Catarina|São Paulo|Sergipe|Tocantins",
    ),
    (
        "state_abbrs",
        "AC|AL|AP|AM|BA|CE|DF|ES|GO|MA|MT|MS|MG|PA|PB|PR|PE|PI|RJ|RN|RS|RO|RR|SC|SP|SE|TO",
    ),
    ("zip_code", "#{numerify '#####-###'}"),
    (
        "email_domains",
        "gmail.com|yahoo.com.br|hotmail.com|outlook.com|bol.com.br|uol.com.br|terra.com.br|live.com",
    ),
    ("domain_suffixes", "com.br|br|net.br|org.br|com|net"),
    (
        "company",
        "#{Name.lastName} #{Company.suffix}|#{Name.lastName}-#{Name.lastName}|#{Name.lastName}, #{Name.lastName} e #{Name.lastName}",
    ),
    ("company_suffixes", "S.A.|Ltda.|e Filhos|e Associados|Comércio|ME|EIRELI"),
    ("license_plate", "#{regexify '[A-Z]{3}[0-9][A-Z][0-9]{2}'}|#{regexify '[A-Z]{3}-[0-9]{4}'}"),
];
