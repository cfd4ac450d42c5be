import Federation
import Tensors

/// How the values of an update stand in its file. Values are numbered in the order of the decoded layout.
///
/// Decoding gives the same float32 on every machine.
protocol UpdateEncoding: Sendable {
    /// The tensors of the file.
    var layout: TensorLayout { get }
    /// Fills `values` with those from number `start` on. Threads may call it at once.
    func read(_ values: UnsafeMutableBufferPointer<Float>, from start: Int, of file: SafetensorsFile) throws
    /// Checks what a layout cannot say.
    func check(_ file: SafetensorsFile) throws
    /// Writes the values, which all are finite.
    func write(_ values: [Float], to writer: SafetensorsWriter) throws
}

extension UpdateEncoding {
    func check(_ file: SafetensorsFile) throws {}
}

extension Compression {
    func encoding(of layout: TensorLayout) -> any UpdateEncoding {
        switch self {
        case .none: Float32Encoding(layout: layout)
        case .bfloat16: BFloat16Encoding(layout)
        case .int8(let block): Int8Encoding(layout, block: block)
        case .topK(let fraction): TopKEncoding(layout, fraction: fraction)
        }
    }
}

struct Float32Encoding: UpdateEncoding {
    let layout: TensorLayout

    func read(_ values: UnsafeMutableBufferPointer<Float>, from start: Int, of file: SafetensorsFile) throws {
        try file.read(into: UnsafeMutableRawBufferPointer(values), at: start * 4)
    }

    func write(_ values: [Float], to writer: SafetensorsWriter) throws { try writer.append(values) }
}
