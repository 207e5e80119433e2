//! CRC-32C, the checksum of the log.
//!
//! It finds every burst of up to 32 flipped bits, which is what torn writes
//! and failing disks produce. Eight tables let it take eight bytes at a step.

const POLYNOMIAL: u32 = 0x82f6_3b78;

const TABLES: [[u32; 256]; 8] = tables();

const fn tables() -> [[u32; 256]; 8] {
    let mut tables = [[0; 256]; 8];
    let mut byte = 0;
    while byte < 256 {
        let mut rest = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            rest = if rest & 1 == 1 { rest >> 1 ^ POLYNOMIAL } else { rest >> 1 };
            bit += 1;
        }
        tables[0][byte] = rest;
        byte += 1;
    }
    let mut table = 1;
    while table < 8 {
        let mut byte = 0;
        while byte < 256 {
            let before = tables[table - 1][byte];
            tables[table][byte] = before >> 8 ^ tables[0][(before & 0xff) as usize];
            byte += 1;
        }
        table += 1;
    }
    tables
}

/// Returns the checksum of several runs of bytes as if they were one.
pub(crate) fn crc32c(runs: &[&[u8]]) -> u32 {
    let mut rest = !0;
    for run in runs {
        let mut eights = run.chunks_exact(8);
        for eight in &mut eights {
            let low = u32::from_le_bytes([eight[0], eight[1], eight[2], eight[3]]) ^ rest;
            let high = u32::from_le_bytes([eight[4], eight[5], eight[6], eight[7]]);
            rest = 0;
            for place in 0..4 {
                rest ^= TABLES[7 - place][(low >> (8 * place) & 0xff) as usize];
                rest ^= TABLES[3 - place][(high >> (8 * place) & 0xff) as usize];
            }
        }
        for byte in eights.remainder() {
            rest = rest >> 8 ^ TABLES[0][((rest ^ u32::from(*byte)) & 0xff) as usize];
        }
    }
    !rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_checksum_of_the_books() {
        // RFC 3720, appendix B.4.
        assert_eq!(crc32c(&[b"123456789"]), 0xe306_9283);
        assert_eq!(crc32c(&[&[0; 32]]), 0x8a91_36aa);
        assert_eq!(crc32c(&[&[0xff; 32]]), 0x62a8_ab43);
        assert_eq!(crc32c(&[b"12345", b"6789"]), 0xe306_9283);
    }
}
