//! Values that the product's code does not make comparable: compared by what `Debug` prints of them, which is all of their fields.

use std::{
    fmt::{self, Debug, Write},
    hash::{DefaultHasher, Hash, Hasher},
    ops::Deref,
    sync::Arc,
};

/// A shared value and its fingerprint of 128 bits.
pub struct Sealed<T> {
    value: Arc<T>,
    print: u128,
}

impl<T: Debug> Sealed<T> {
    /// Seals a value.
    pub fn new(value: T) -> Self {
        let mut hash = Prints::default();
        // Writing into a hash does not fail.
        let _ = write!(hash, "{value:?}");
        Self {
            value: Arc::new(value),
            print: hash.finish(),
        }
    }
}

impl<T> Clone for Sealed<T> {
    fn clone(&self) -> Self {
        Self {
            value: Arc::clone(&self.value),
            print: self.print,
        }
    }
}

impl<T> Deref for Sealed<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: Debug> Debug for Sealed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(f)
    }
}

impl<T> PartialEq for Sealed<T> {
    fn eq(&self, other: &Self) -> bool {
        self.print == other.print
    }
}

impl<T> Eq for Sealed<T> {}

impl<T> Hash for Sealed<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.print.hash(state);
    }
}

/// The fingerprint of a value of 128 bits: of a hundred million states, two share one with a probability below 10⁻²².
pub fn fingerprint(value: &impl Hash) -> u128 {
    let mut prints = Prints::default();
    value.hash(&mut prints.0);
    value.hash(&mut prints.1);
    prints.finish()
}

/// Two hashes that begin differently.
struct Prints(DefaultHasher, DefaultHasher);

impl Default for Prints {
    fn default() -> Self {
        let mut second = DefaultHasher::new();
        second.write_u8(1);
        Self(DefaultHasher::new(), second)
    }
}

impl Prints {
    fn finish(&self) -> u128 {
        u128::from(self.0.finish()) << 64 | u128::from(self.1.finish())
    }
}

impl Write for Prints {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.write(text.as_bytes());
        self.1.write(text.as_bytes());
        Ok(())
    }
}
