//! Values of configurations: text on the wire, typed where they act.
//! Invariant: a text that [`Kind::check`] accepts is one that the accessors of [`Value`] read. Follows Kafka's `ConfigDef` in
//! what is a number, a boolean and a list.

/// What a value must look like.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    Boolean,
    Int {
        min: i64,
        max: i64,
    },
    Long {
        min: i64,
    },
    Double {
        min: f64,
        max: f64,
    },
    /// One of these words.
    Word(&'static [&'static str]),
    /// Words with commas between them.
    List(&'static [&'static str]),
}

impl Kind {
    /// The number of the type in DescribeConfigs.
    pub(crate) fn wire_type(self) -> i8 {
        match self {
            Self::Boolean => 1,
            Self::Word(_) => 2,
            Self::Int { .. } => 3,
            Self::Long { .. } => 5,
            Self::Double { .. } => 6,
            Self::List(_) => 7,
        }
    }

    /// What is wrong with a text as a value of this kind.
    pub(crate) fn check(self, text: &str) -> Result<(), String> {
        let trimmed = text.trim();
        let within = |number: Option<i64>, min: i64, max: i64| match number {
            Some(number) if (min..=max).contains(&number) => Ok(()),
            _ if max == i64::MAX => Err(format!("a whole number of at least {min} is wanted")),
            _ => Err(format!("a whole number from {min} to {max} is wanted")),
        };
        match self {
            Self::Boolean => match trimmed.to_ascii_lowercase().as_str() {
                "true" | "false" => Ok(()),
                _ => Err("true or false is wanted".to_owned()),
            },
            Self::Int { min, max } => within(trimmed.parse().ok(), min, max),
            Self::Long { min } => within(trimmed.parse().ok(), min, i64::MAX),
            Self::Double { min, max } => match trimmed.parse::<f64>() {
                Ok(number) if (min..=max).contains(&number) => Ok(()),
                _ => Err(format!("a number from {min} to {max} is wanted")),
            },
            Self::Word(words) if words.contains(&trimmed) => Ok(()),
            Self::Word(words) => Err(format!("one of {} is wanted", words.join(", "))),
            Self::List(words) => {
                let unknown =
                    elements(trimmed).find(|word| !words.is_empty() && !words.contains(word));
                match unknown {
                    Some(_) => Err(format!("a list of {} is wanted", words.join(", "))),
                    None if elements(trimmed).next().is_none() && !words.is_empty() => {
                        Err(format!("at least one of {} is wanted", words.join(", ")))
                    }
                    None => Ok(()),
                }
            }
        }
    }
}

/// The elements of a list.
pub(crate) fn elements(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|word| !word.is_empty())
}

/// A text that was checked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Value<'a>(pub(crate) &'a str);

impl Value<'_> {
    pub(crate) fn boolean(self) -> bool {
        self.0.trim().eq_ignore_ascii_case("true")
    }

    /// A number of milliseconds, bytes or things.
    pub(crate) fn number(self) -> i64 {
        self.0.trim().parse().unwrap_or_default()
    }

    pub(crate) fn double(self) -> f64 {
        self.0.trim().parse().unwrap_or_default()
    }

    pub(crate) fn i32(self) -> i32 {
        i32::try_from(self.number()).unwrap_or(i32::MAX)
    }

    pub(crate) fn u32(self) -> u32 {
        u32::try_from(self.number()).unwrap_or(u32::MAX)
    }

    pub(crate) fn u64(self) -> u64 {
        u64::try_from(self.number()).unwrap_or_default()
    }

    /// A number of which a negative one means that there is no limit.
    pub(crate) fn limit(self) -> Option<i64> {
        Some(self.number()).filter(|number| *number >= 0)
    }

    pub(crate) fn has(self, word: &str) -> bool {
        elements(self.0).any(|element| element == word)
    }
}
