//! Tails of a layout that is remembered are decoded as if none were.

use super::super::Layouts;
use super::super::layouts::{CHUNK, LAYOUTS, LONGEST, MISSES};
use super::*;

/// What has learned the layout of a frame's tail.
fn taught(serializer: Serializer, frame: &[u8], limits: &DecodeLimits) -> Layouts {
    let mut layouts = Layouts::default();
    for _ in 0..MISSES {
        decode_with(serializer, frame, limits, &mut layouts).expect("a message");
    }
    layouts
}

fn decode_with<'a>(
    serializer: Serializer,
    frame: &'a [u8],
    limits: &DecodeLimits,
    layouts: &mut Layouts,
) -> Decoded<'a> {
    let message = crate::codec::decode_with(serializer, frame, limits, layouts, |tail| tail)?;
    let tail = message.payload().copied().unwrap_or_default();
    Ok((message.map_payload(drop), tail))
}

fn agree_with(layouts: &mut Layouts, serializer: Serializer, frame: &[u8], limits: &DecodeLimits) {
    let careful = careful_decode(serializer, frame, limits);
    assert_eq!(decode_with(serializer, frame, limits, layouts), careful, "{serializer:?} {frame:02x?}");
}

fn telemetry(name: &str, value: f64, note: &str) -> Values {
    let args = vec![
        serde_json::json!({"id": 123_456, "name": name, "value": value, "ok": true, "none": null, "bytes": [7, -3, 200]}),
        serde_json::json!([-200, 70_000, -70_000, 1_u64 << 40, -(1_i64 << 40), [], {}, ""]),
    ];
    Values { args, kwargs: [("note".to_owned(), Value::from(note))].into_iter().collect() }
}

/// Whatever byte of it is another, and wherever it ends.
#[test]
fn tails_that_are_nearly_alike_are_decoded_alike() {
    let limits = &DecodeLimits::default();
    let long = "a text that is longer than thirty-one bytes";
    let odd = [
        (Serializer::MsgPack, [&b"\x94\x46\x01\x80\x92\xc4\x40"[..], &[0; 64], b"\xd6\xff\0\0\0\0"].concat()),
        (Serializer::Cbor, [&b"\x84\x18\x46\x01\xa0\x82\x58\x40"[..], &[0; 64], b"\xc1\x1a\0\0\0\0"].concat()),
        (Serializer::Json, br#"[70,1,{},[0, -0, 10, -10.05, 1E5, 0.5e-10, 2e308, "\u0000AAEC", "a\"b\\", "\ud83d\ude00"], {"k": []} ] "#.to_vec()),
        (Serializer::Json, format!(r#"[70,1,{{}},["{}","é\n",[],[1],{{}},true,18446744073709551616]]"#, "x".repeat(60)).into_bytes()),
        (Serializer::Json, format!(r#"[70,1,{{}},[],{{"a":[[]],"{}":null}}]"#, "x".repeat(60)).into_bytes()),
    ];
    let ordinary = Serializer::ALL.into_iter().flat_map(|serializer| {
        [
            telemetry("sensor-17", 21.375, "plain"),
            telemetry("température", 0.5, long),
            telemetry("", 0.5, "é"),
        ]
        .map(|values| (serializer, frame(serializer, 0, &values)))
    });
    for (serializer, frame) in ordinary.chain(odd) {
        let layouts = &mut taught(serializer, &frame, limits);
        for cut in 0..frame.len() {
            agree_with(layouts, serializer, &frame[..cut], limits);
        }
        for at in 0..frame.len() {
            let mut other = frame.clone();
            let is_telling =
                |byte: &u8| serializer != Serializer::Json || byte.is_ascii() || byte.is_multiple_of(16);
            for byte in (0..=u8::MAX).filter(is_telling) {
                if byte % (MISSES / 2) == 0 {
                    // So that no other is remembered.
                    agree_with(layouts, serializer, &frame, limits);
                }
                other[at] = byte;
                agree_with(layouts, serializer, &other, limits);
            }
        }
    }
}

/// Digits and letters are not what makes a layout.
#[test]
fn other_values_have_the_same_layout() {
    let limits = &DecodeLimits::default();
    let note = "a text that is longer than thirty-one bytes";
    for serializer in Serializer::ALL {
        let frame_of = |name, value, note| frame(serializer, 0, &telemetry(name, value, note));
        let first = frame_of("sensor-17", 21.375, note);
        let mut layouts = taught(serializer, &first, limits);
        let mut is_known = |frame: &[u8]| {
            for frame in [&first, frame] {
                decode_with(serializer, frame, limits, &mut layouts).expect("a message");
            }
            layouts.0.iter().all(|layout| layout.misses == 0)
        };
        assert!(is_known(&first));
        assert!(is_known(&frame_of("sensor-18", 10.009, "another text just as long as the first ones")));
        assert!(!is_known(&frame_of("sensor-7", 21.375, "a text that is longer than thirty-one bytes, too")));
        assert!(!is_known(&frame_of("sensor-é", 21.375, note)));
        assert!(!is_known(&frame_of("sensor\n17", 21.375, note)));
    }
}

/// What is well-formed in one serializer, with one number of elements and at one depth, may not be in another.
#[test]
fn a_layout_is_that_of_its_kind() {
    let text = "t".repeat(100);
    for serializer in Serializer::ALL {
        let limits = DecodeLimits::default();
        let one = Values { args: vec![Value::from(vec![vec![text.clone()]])], ..Values::default() };
        let one = frame(serializer, 1, &one);
        let layouts = &mut taught(serializer, &one, &limits);
        for depth in 0..6 {
            agree_with(layouts, serializer, &one, &DecodeLimits { depth, ..limits });
        }
        let mut two = one.clone();
        two[0] += 1;
        agree_with(layouts, serializer, &two, &limits);
        let start = careful_decode(serializer, &one, &limits).expect("a message").1.start;
        for other in Serializer::ALL {
            // The tail of one behind the head of the other.
            let with_one = frame(other, 1, &Values { args: vec![1.into()], ..Values::default() });
            let head = &with_one[..careful_decode(other, &with_one, &limits).expect("a message").1.start];
            agree_with(layouts, other, &[head, &one[start..]].concat(), &limits);
        }
    }
}

/// Whoever sends tails of all lengths, again and again, fills the memory that was promised, and no more.
#[test]
fn layouts_take_a_bounded_memory() {
    let limits = &DecodeLimits::default();
    let mut layouts = Layouts::default();
    // Odd steps come by all remainders.
    for len in (1..LONGEST + 500).step_by(7).chain((1..LONGEST + 500).rev().step_by(9)) {
        for serializer in Serializer::ALL {
            let text = Values { args: vec!["x".repeat(len).into()], ..Values::default() };
            let frame = frame(serializer, 0, &text);
            for _ in 0..MISSES {
                decode_with(serializer, &frame, limits, &mut layouts).expect("a message");
            }
        }
    }
    let most = 2 * LONGEST + CHUNK;
    let taken: Vec<_> = layouts.0.iter().map(|one| one.tail.capacity() + one.marks.capacity()).collect();
    assert_eq!(taken.len(), LAYOUTS);
    assert!(taken.iter().all(|taken| (LONGEST..=most).contains(taken)), "{taken:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn damaged_tails_are_decoded_alike(values in values(), damages in vec(vec(damage(), 1..3), 1..40)) {
        let limits = &DecodeLimits::default();
        for serializer in Serializer::ALL {
            let frame = frame(serializer, 0, &values);
            let layouts = &mut taught(serializer, &frame, limits);
            for damage in &damages {
                agree_with(layouts, serializer, &damaged(&frame, damage), limits);
                agree_with(layouts, serializer, &frame, limits);
            }
        }
    }
}
