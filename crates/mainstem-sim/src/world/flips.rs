//! Bits that flip on the disk, while the broker is up or down: in segments, in the files beside them, in the journal.
//! Invariant: the model is told of every flip before anybody can read it; what it makes of it stands in `check/damage.rs`.
//! Files of a compaction are hit when it has written them, and when a start finds them. Spared are topics whose clients could not go
//! on without a record, and topics whose id nobody has asked for yet.

use std::io;

use mainstem_core::disk::Disk;
use mainstem_log::{BatchHeader, HEADER_BYTES};

use super::{Event, World};
use crate::check::{Hit, Place, SideFile};

const JOURNAL: &str = "journal";
const SWAP: &str = "compaction.swap";
const CLEANED: &str = ".cleaned";
const RECOVERY_POINTS: &str = "recovery-points";

/// A batch in a file.
struct Located {
    position: u64,
    header: BatchHeader,
}

impl World {
    /// Flips a bit somewhere, and sees to it that another one will be.
    pub(super) fn flip(&mut self) {
        if self.calm {
            return;
        }
        let delay = 500_000 + self.rng.below(15_000_000);
        self.after(delay, Event::Flip);
        // The disk may have stopped, or have no such file.
        let _ = match self.rng.below(100) {
            0..60 => self.flip_record(),
            60..70 => self.flip_beside(SideFile::Index),
            70..80 => self.flip_beside(SideFile::Snapshot),
            80..88 => self.flip_beside(SideFile::Checkpoint),
            88..94 => self.flip_any(RECOVERY_POINTS),
            _ => self.flip_journal(),
        };
    }

    /// Flips a bit of what a compaction has left on its way, if there is something.
    pub(super) fn flip_compaction(&mut self) {
        if !self.weather.flips || self.calm || self.rng.below(4) == 0 {
            return;
        }
        // The disk may have stopped, or have no such file.
        let _ = match self.rng.below(4) {
            0 => self.flip_beside(SideFile::Swap),
            1 => self.flip_cleaned_index(),
            _ => self.flip_batch_of(|name| name.ends_with(".log.cleaned")),
        };
    }

    /// It costs nothing: an index that is damaged is built anew.
    fn flip_cleaned_index(&mut self) -> io::Result<()> {
        let Some((_, path)) = self.some_file(|name| name.ends_with(".index.cleaned"))? else {
            return Ok(());
        };
        self.flip_any(&path)
    }

    /// Tells the model which of the segments that were hit are closed by now.
    pub(crate) fn find_segments(&mut self) {
        for (place, folder) in self.folders() {
            let names = self.disk.list(&folder).unwrap_or_default();
            for base in names.iter().filter_map(|name| base_of(name)) {
                self.model.damage.segment_found(place, base);
            }
        }
    }

    /// The folders of all partitions that may be hit.
    fn folders(&self) -> Vec<(Place, String)> {
        let places = self.model.places().filter_map(|place| {
            let topic = &self.model.topics[place.topic];
            let id = topic.id.filter(|_| !topic.spared && !topic.ended)?;
            let id: String = id.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
            Some((place, format!("topics/{id}/{}", place.partition)))
        });
        places.collect()
    }

    /// Some file of some partition.
    fn some_file(&mut self, is: impl Fn(&str) -> bool) -> io::Result<Option<(Place, String)>> {
        let mut files = Vec::new();
        for (place, folder) in self.folders() {
            for name in self.disk.list(&folder)?.into_iter().filter(|name| is(name)) {
                files.push((place, format!("{folder}/{name}")));
            }
        }
        if files.is_empty() {
            return Ok(None);
        }
        Ok(Some(files.swap_remove(self.rng.below(files.len() as u64) as usize)))
    }

    fn read_file(&self, path: &str) -> io::Result<Vec<u8>> {
        let file = self.disk.open(path, false)?;
        let mut bytes = vec![0; file.size_bytes()? as usize];
        file.read_exact_at(0, &mut bytes)?;
        Ok(bytes)
    }

    fn flip_bit(&mut self, path: &str, byte: u64) -> io::Result<()> {
        let bit = 8 * byte + self.rng.below(8);
        self.trace.say(self.now_us, format_args!("bit {bit} of {path} flips"));
        self.disk.flip_bit(path, bit)
    }

    fn flip_any(&mut self, path: &str) -> io::Result<()> {
        let size_bytes = self.read_file(path)?.len() as u64;
        if size_bytes > 0 {
            let byte = self.rng.below(size_bytes);
            self.flip_bit(path, byte)?;
        }
        Ok(())
    }

    fn flip_journal(&mut self) -> io::Result<()> {
        let names = self.disk.list(JOURNAL)?;
        if names.is_empty() {
            return Ok(());
        }
        let name = &names[self.rng.below(names.len() as u64) as usize];
        self.model.damage.journal |= name.ends_with(".log");
        self.flip_any(&format!("{JOURNAL}/{name}"))
    }

    fn flip_beside(&mut self, file: SideFile) -> io::Result<()> {
        let is = |name: &str| match file {
            SideFile::Index => name.ends_with(".index"),
            SideFile::Snapshot => name.ends_with(".snapshot"),
            SideFile::Checkpoint => name == "log.checkpoint",
            SideFile::Swap => name == SWAP,
        };
        let Some((place, path)) = self.some_file(is)? else { return Ok(()) };
        self.model.hit_beside(place, file);
        self.flip_any(&path)
    }

    fn flip_record(&mut self) -> io::Result<()> {
        self.flip_batch_of(|name| name.ends_with(".log"))
    }

    fn flip_batch_of(&mut self, is: impl Fn(&str) -> bool) -> io::Result<()> {
        let Some((place, path)) = self.some_file(is)? else {
            return Ok(());
        };
        if self.model.damage.is_header_hit(place) {
            // What its headers say now is not what they were.
            return Ok(());
        }
        let bytes = self.read_file(&path)?;
        let batches = batches(&bytes);
        if batches.is_empty() {
            return Ok(());
        }
        let Located { position, header } = &batches[self.rng.below(batches.len() as u64) as usize];
        let in_header = self.rng.below(3) == 0;
        let bound = if in_header { HEADER_BYTES } else { header.size_bytes };
        let byte = self.rng.below(bound as u64);
        self.flip_bit(&path, position + byte)?;
        let damaged = self.read_file(&path)?;
        let shown = BatchHeader::parse(&damaged[*position as usize..]);
        let shown = shown.map(|header| (header.base_offset, header.last_offset() + 1));
        let (base, last) = (header.base_offset, header.last_offset());
        let name = path.rsplit('/').next().unwrap_or_default();
        let name = name.strip_suffix(CLEANED).unwrap_or(name);
        self.model.hit(Hit {
            place,
            base,
            last,
            header: (byte as usize) < HEADER_BYTES,
            marker: header.is_control(),
            shown_as: shown.unwrap_or((base, last + 1)),
            segment: base_of(name).unwrap_or_default(),
            segment_end: i64::MAX,
            merges: path.ends_with(CLEANED),
        });
        self.find_segments();
        Ok(())
    }
}

/// The offset in the name of a segment.
fn base_of(name: &str) -> Option<i64> {
    name.strip_suffix(".log")?.parse().ok()
}

/// The batches of a segment.
fn batches(bytes: &[u8]) -> Vec<Located> {
    let (mut batches, mut position) = (Vec::new(), 0);
    while let Ok(header) = BatchHeader::parse(&bytes[position..]) {
        let end = position + header.size_bytes;
        if end > bytes.len() {
            break;
        }
        batches.push(Located { position: position as u64, header });
        position = end;
    }
    batches
}
