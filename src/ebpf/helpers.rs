//! Functions of the caller that a program calls by number.

use {
    super::{error::Fault, memory::Memory, pseudo::map_of_handle},
    std::{collections::HashMap, fmt},
};

/// Why a helper has failed, in words; it ends the program.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct HelperError(pub String);

impl From<Fault> for HelperError {
    fn from(fault: Fault) -> Self {
        Self(fault.to_string())
    }
}

/// One call of a helper.
#[derive(Debug)]
pub struct HelperCall<'a, 'm> {
    /// r1 to r5.
    pub arguments: &'a [u64; 5],
    /// The program's memory.
    pub memory: &'a Memory<'m>,
    /// Instructions that the program may still execute, 0 without a meter. A helper makes the
    /// program pay for its work by lowering it.
    pub remaining: u64,
}

impl HelperCall<'_, '_> {
    /// The number of the map that an argument stands for, if it does for one.
    pub fn map(&self, argument: usize) -> Option<u32> {
        map_of_handle(*self.arguments.get(argument)?)
    }
}

/// A helper that needs nothing but r1 to r5, see [`Helpers::register_function`].
pub type HelperFunction = extern "C" fn(u64, u64, u64, u64, u64) -> u64;

/// A helper.
enum Helper<'h> {
    Closure(Closure<'h>),
    Function(HelperFunction),
}

type Closure<'h> = Box<dyn FnMut(&mut HelperCall<'_, '_>) -> Result<u64, HelperError> + 'h>;

/// Numbers below this, which helpers usually have, are looked up fast.
const DIRECT: u32 = 1_024;

/// Helpers by number.
#[derive(Default)]
pub struct Helpers<'h> {
    direct: Vec<Option<Helper<'h>>>,
    others: HashMap<u32, Helper<'h>>,
}

impl<'h> Helpers<'h> {
    /// No helpers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Registers a function under `number`, in place of what was there before. Its result goes to
    /// r0; an error ends the program.
    pub fn register(
        &mut self,
        number: u32,
        function: impl FnMut(&mut HelperCall<'_, '_>) -> Result<u64, HelperError> + 'h,
    ) {
        self.insert(number, Helper::Closure(Box::new(function)));
    }

    /// Registers a function of r1 to r5 alone under `number`, in place of what was there before. Compiled
    /// code calls it without a detour.
    ///
    /// A panic in it ends the process, as in any function that is `extern "C"`.
    pub fn register_function(&mut self, number: u32, function: HelperFunction) {
        self.insert(number, Helper::Function(function));
    }

    fn insert(&mut self, number: u32, helper: Helper<'h>) {
        if number >= DIRECT {
            self.others.insert(number, helper);
            return;
        }
        let index = number as usize;
        if self.direct.len() <= index {
            self.direct.resize_with(index + 1, || None);
        }
        self.direct[index] = Some(helper);
    }

    fn get_mut(&mut self, number: u32) -> Option<&mut Helper<'h>> {
        match number < DIRECT {
            true => self.direct.get_mut(number as usize)?.as_mut(),
            false => self.others.get_mut(&number),
        }
    }

    /// The function that is registered under `number`, if it is one.
    pub(super) fn function(&self, number: u32) -> Option<HelperFunction> {
        let helper = match number < DIRECT {
            true => self.direct.get(number as usize)?.as_ref(),
            false => self.others.get(&number),
        };
        match helper? {
            Helper::Function(function) => Some(*function),
            Helper::Closure(_) => None,
        }
    }

    /// Calls a helper; returns its result and the meter that is left.
    pub(super) fn call(
        &mut self,
        number: u32,
        arguments: &[u64; 5],
        memory: &Memory<'_>,
        meter: i64,
    ) -> Result<(u64, i64), Fault> {
        let helper = self.get_mut(number);
        let closure = match helper.ok_or(Fault::UnknownHelper(number))? {
            Helper::Closure(closure) => closure,
            Helper::Function(function) => {
                let [a, b, c, d, e] = *arguments;
                return Ok((function(a, b, c, d, e), meter));
            }
        };
        let remaining = meter.max(0) as u64;
        let mut call = HelperCall {
            arguments,
            memory,
            remaining,
        };
        match closure(&mut call) {
            Ok(result) => Ok((result, call.remaining.min(remaining) as i64)),
            Err(error) => Err(Fault::Helper { number, error }),
        }
    }
}

impl fmt::Debug for Helpers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let direct = self.direct.iter().zip(0..);
        let direct = direct.filter_map(|(function, number)| function.is_some().then_some(number));
        let others = self.others.keys().copied();
        f.debug_set().entries(direct.chain(others)).finish()
    }
}
