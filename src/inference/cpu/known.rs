//! Which graphs have kernels of their own: those whose nodes are exactly the ones that are looked
//! for.

use algospace_hft_kernels::lstm::Lstm;
use algospace_hft_kernels::passes::Passes;
use rten_onnx::onnx::{DataType, GraphProto, ModelProto, NodeProto, TensorProto};

/// An LSTM over the rows of a window, oldest first.
pub(super) struct LstmGraph {
    /// Its weights.
    pub lstm: Lstm,
    /// The input with the rows.
    pub rows: String,
    /// The inputs with the hidden and cell state before them; zeros where absent.
    pub before: Option<[String; 2]>,
    /// The outputs with the hidden and, where it is one, the cell state after them.
    pub after: [Option<String>; 2],
}

/// A core that ends with two layers over every pass.
pub(super) struct PassesGraph {
    /// Weights of the layers.
    pub passes: Passes,
    /// The value that goes into them.
    pub hidden: String,
    /// The number of nodes that give it.
    pub head: usize,
    /// The inputs with the masks.
    pub masks: [String; 2],
}

/// Reads an ONNX file.
pub(super) fn read(onnx: &[u8]) -> Option<GraphProto> {
    ModelProto::parse_buf(onnx).ok()?.graph
}

/// `Transpose`, `LSTM`, and maybe `Gather` of its last hidden state.
pub(super) fn lstm(graph: &GraphProto) -> Option<LstmGraph> {
    let (transpose, lstm, gather) = match graph.node.as_slice() {
        [transpose, lstm] => (transpose, lstm, None),
        [transpose, lstm, gather] => (transpose, lstm, Some(gather)),
        _ => return None,
    };
    is(transpose, "Transpose").then_some(())?;
    (ints(transpose, "perm")? == [1, 0, 2]).then_some(())?;
    is(lstm, "LSTM").then_some(())?;
    let plain = |name: Option<&str>| {
        match name {
            Some("hidden_size") => true,
            Some("input_forget" | "layout") => int(lstm, name?) == Some(0),
            Some("direction") => attribute(lstm, name?)?.s.as_deref() == Some("forward"),
            _ => false,
        }
        .then_some(())
    };
    lstm.attribute.iter().try_for_each(|attribute| plain(attribute.name.as_deref()))?;
    let input = |place: usize| lstm.input.get(place).map_or("", String::as_str);
    let is_plain = input(0) == transpose.output.first()? && input(4).is_empty();
    (is_plain && lstm.input.len() <= 7).then_some(())?;
    let hidden = usize::try_from(int(lstm, "hidden_size")?).ok()?;
    let [w, r, b] = [1, 2, 3].map(|place| floats(graph, input(place)));
    let columns = usize::try_from(*initializer(graph, input(1))?.dims.get(2)?).ok()?;
    let kernel = Lstm::new(columns, hidden, &w?, &r?, &b?)?;
    let is_zero = |name: &str| {
        name.is_empty() || floats(graph, name).is_some_and(|all| all.iter().all(|&n| n == 0.0))
    };
    let before = [input(5), input(6)];
    let before = match before {
        _ if before.iter().all(|name| is_zero(name)) => None,
        _ if before.iter().all(|name| is_input(graph, name)) => Some(before.map(str::to_owned)),
        _ => return None,
    };
    let state = |place: usize| lstm.output.get(place).filter(|name| !name.is_empty()).cloned();
    let after = match gather {
        None => [state(1), state(2)],
        Some(gather) => [Some(gathered(graph, gather, lstm.output.get(1)?)?), None],
    };
    let rows = transpose.input.first().filter(|name| is_input(graph, name))?.clone();
    Some(LstmGraph { lstm: kernel, rows, before, after })
}

/// Returns the output of a `Gather` of the first of `from`.
fn gathered(graph: &GraphProto, gather: &NodeProto, from: &str) -> Option<String> {
    let index = initializer(graph, gather.input.get(1)?)?;
    let is_first = is(gather, "Gather")
        && gather.input[0] == from
        && int(gather, "axis").unwrap_or(0) == 0
        && index.dims.is_empty()
        && whole(index)? == [0];
    is_first.then(|| gather.output.first().cloned())?
}

/// Two layers over every pass, at the end of a graph: `Unsqueeze`, `Mul` by the first mask,
/// `MatMul`, `Add`, `Relu`,
/// `Mul` by the second, `MatMul`, `Add`.
pub(super) fn passes(graph: &GraphProto) -> Option<PassesGraph> {
    const TAIL: [&str; 8] = ["Unsqueeze", "Mul", "MatMul", "Add", "Relu", "Mul", "MatMul", "Add"];
    let first = graph.node.len().checked_sub(TAIL.len())?;
    let (head, tail) = graph.node.split_at(first);
    let mut other = [const { None }; TAIL.len()];
    for (place, (node, kind)) in tail.iter().zip(TAIL).enumerate() {
        is(node, kind).then_some(())?;
        // What came before goes in first, and nowhere else.
        if place > 0 {
            (node.input.first() == tail[place - 1].output.first()).then_some(())?;
        }
        other[place] = node.input.get(1);
    }
    let [axis, mask_1, second, second_bias, _, mask_2, logits, logits_bias] = other;
    let masks = [mask_1?.clone(), mask_2?.clone()];
    let is_fresh =
        |mask: &String| is_input(graph, mask) && head.iter().all(|node| !node.input.contains(mask));
    let is_last =
        graph.output.len() == 1 && graph.output[0].name == tail[7].output.first().cloned();
    let is_row = whole(initializer(graph, axis?)?)? == [1];
    (masks.iter().all(is_fresh) && masks[0] != masks[1] && is_last && is_row).then_some(())?;
    let size = |name: &String, place: usize| {
        usize::try_from(*initializer(graph, name)?.dims.get(place)?).ok()
    };
    let (second, logits) = (second?, logits?);
    let widths = [size(second, 0)?, size(second, 1)?, size(logits, 1)?];
    let passes = Passes::new(
        widths,
        &floats(graph, second)?,
        &floats(graph, second_bias?)?,
        &floats(graph, logits)?,
        &floats(graph, logits_bias?)?,
    )?;
    Some(PassesGraph { passes, hidden: tail[0].input.first()?.clone(), head: first, masks })
}

pub(super) fn is(node: &NodeProto, kind: &str) -> bool {
    node.op_type.as_deref() == Some(kind) && node.domain.as_deref().unwrap_or("").is_empty()
}

fn is_input(graph: &GraphProto, name: &str) -> bool {
    graph.input.iter().any(|input| input.name.as_deref() == Some(name))
}

pub(super) fn attribute<'a>(
    node: &'a NodeProto,
    name: &str,
) -> Option<&'a rten_onnx::onnx::AttributeProto> {
    node.attribute.iter().find(|attribute| attribute.name.as_deref() == Some(name))
}

pub(super) fn int(node: &NodeProto, name: &str) -> Option<i64> {
    attribute(node, name)?.i
}

pub(super) fn float(node: &NodeProto, name: &str) -> Option<f32> {
    attribute(node, name)?.f
}

pub(super) fn ints<'a>(node: &'a NodeProto, name: &str) -> Option<&'a [i64]> {
    attribute(node, name).map(|attribute| attribute.ints.as_slice())
}

pub(super) fn initializer<'a>(graph: &'a GraphProto, name: &str) -> Option<&'a TensorProto> {
    graph.initializer.iter().find(|tensor| tensor.name.as_deref() == Some(name))
}

/// An initializer's 32-bit floats.
pub(super) fn floats(graph: &GraphProto, name: &str) -> Option<Vec<f32>> {
    let tensor = initializer(graph, name)?;
    (tensor.data_type == Some(DataType::FLOAT)).then_some(())?;
    let Some(raw) = &tensor.raw_data else { return Some(tensor.float_data.clone()) };
    let number = |bytes: &[u8]| f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    Some(raw.borrow().chunks_exact(4).map(number).collect())
}

/// A tensor's 64-bit whole numbers.
pub(super) fn whole(tensor: &TensorProto) -> Option<Vec<i64>> {
    (tensor.data_type == Some(DataType::INT64)).then_some(())?;
    let Some(raw) = &tensor.raw_data else { return Some(tensor.int64_data.clone()) };
    let number = |bytes: &[u8]| bytes.try_into().map(i64::from_le_bytes);
    raw.borrow().chunks_exact(8).map(number).collect::<Result<_, _>>().ok()
}
