//! Maps as arguments give them: arrays of values, found by the helper of the number that Linux has for
//! it.

use {
    super::bytes,
    crate::cli::{failure::Failure, input::REGION_BYTES_LIMIT},
    sbpf_cranelift::ebpf::{HelperError, Helpers, Memory, Program},
    std::collections::HashMap,
};

/// `bpf_map_lookup_elem`: the address of a value by the map and the address of its number, a 32-bit
/// integer, or 0 where the map has no such value.
const LOOKUP: u32 = 1;

/// Bytes of a value where nobody says how many there are.
const VALUE_SIZE: usize = 8;

/// Where arguments are wrong.
const PLACE: &str = "--map";

/// A map of a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Map {
    /// What the argument calls it.
    pub(super) name: String,
    /// Its number.
    pub(super) number: u32,
    value_size: usize,
    /// All its values, one after the other.
    pub(super) values: Vec<u8>,
}

impl Map {
    /// The map of a program that an argument gives, `NAME[/SIZE]=HEX|FILE|zeros:LENGTH`.
    fn new(argument: &str, program: &Program) -> Result<Self, Failure> {
        let failure = |what: String| Failure::at(PLACE, what);
        let (name, values) = argument
            .split_once('=')
            .ok_or_else(|| failure(format!("{argument:?} is not NAME=VALUES")))?;
        let (name, value_size) = match name.rsplit_once('/') {
            None => (name, VALUE_SIZE),
            Some((name, size)) => match size.parse() {
                Ok(size) if size > 0 => (name, size),
                _ => return Err(failure(format!("{size:?} is no size of a value"))),
            },
        };
        Ok(Self {
            name: name.to_string(),
            number: number(name, program)?,
            value_size,
            values: match values.strip_prefix("zeros:") {
                None => bytes(PLACE, values)?,
                Some(length) => match length.parse::<u64>() {
                    Ok(length) if length <= REGION_BYTES_LIMIT => vec![0; length as usize],
                    _ => return Err(failure(format!("there can't be {length:?} zeros"))),
                },
            },
        })
    }
}

/// The number of the map that is called `name`.
fn number(name: &str, program: &Program) -> Result<u32, Failure> {
    let names = program.maps();
    if let Some(number) = names.iter().position(|other| other == name) {
        return Ok(number as u32);
    }
    let is_data = |number| program.memory().map(number).is_some();
    match name.parse() {
        Ok(number) if number <= Memory::GREATEST_MAP && !is_data(number) => Ok(number),
        _ => {
            let known = match names {
                [] => String::new(),
                names => format!("; its maps are {}", names.join(", ")),
            };
            let what = format!("the program can have no map {name:?}{known}");
            Err(Failure::at(PLACE, what))
        }
    }
}

/// The maps of a program that arguments give.
///
/// # Errors
/// When one of them can't be, or is given twice.
pub(super) fn maps(arguments: &[String], program: &Program) -> Result<Vec<Map>, Failure> {
    let mut maps: Vec<Map> = Vec::new();
    for argument in arguments {
        let map = Map::new(argument, program)?;
        if maps.iter().any(|other| other.number == map.number) {
            let what = format!("there is more than one map {:?}", map.name);
            return Err(Failure::at(PLACE, what));
        }
        maps.push(map);
    }
    Ok(maps)
}

/// Gives the maps to a program, with the helper that finds values.
pub(super) fn give(maps: &[Map], memory: &mut Memory<'_>, helpers: &mut Helpers<'_>) {
    for map in maps {
        memory.own_map(map.number, &map.values);
    }
    if maps.is_empty() {
        return;
    }
    let sizes: HashMap<u32, (usize, usize)> = maps
        .iter()
        .map(|map| {
            (
                map.number,
                (map.values.len() / map.value_size, map.value_size),
            )
        })
        .collect();
    helpers.register(LOOKUP, move |call| {
        let map = call.map(0).and_then(|map| Some((map, sizes.get(&map)?)));
        let Some((map, &(count, size))) = map else {
            return Err(HelperError("r1 is no map that was given".to_string()));
        };
        let index = call.memory.read(call.arguments[1], 4)?;
        let index = index.try_into().map_or(u32::MAX, u32::from_le_bytes) as usize;
        Ok(match index < count {
            true => Memory::address_of_map(map) + (index * size) as u64,
            false => 0,
        })
    });
}

/// The maps with the values that a run has left in them.
pub(super) fn left(maps: &[Map], memory: &Memory<'_>) -> Vec<Map> {
    let mut maps = maps.to_vec();
    for map in &mut maps {
        map.values = memory.map(map.number).unwrap_or_default();
    }
    maps
}
