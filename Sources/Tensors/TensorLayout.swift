/// A tensor's place in a safetensors file.
public struct TensorDescription: Equatable, Sendable {
    public let name: String
    public let type: ElementType
    /// Row-major; empty for a scalar.
    public let shape: [Int]
    /// Within the data buffer, in bytes.
    public let range: Range<Int>

    public init(name: String, type: ElementType, shape: [Int], range: Range<Int>) {
        self.name = name
        self.type = type
        self.shape = shape
        self.range = range
    }

    public var elementCount: Int { shape.reduce(1, *) }
}

/// The tensors of a file in the order of their data, without holes.
///
/// Two files of one layout differ in values only: element i of one stands where element i of the other stands.
public struct TensorLayout: Equatable, Sendable {
    public let tensors: [TensorDescription]

    /// `tensors` must lie back to back from 0.
    public init(tensors: [TensorDescription]) { self.tensors = tensors }

    /// Lays tensors out as the official writer does: wider types first, then by name.
    public init(_ tensors: [(name: String, type: ElementType, shape: [Int])]) {
        let sorted = tensors.sorted { a, b in
            a.type.byteCount != b.type.byteCount
                ? a.type.byteCount > b.type.byteCount : a.name.utf8.lexicographicallyPrecedes(b.name.utf8)
        }
        var offset = 0
        self.tensors = sorted.map { tensor in
            let end = offset + tensor.shape.reduce(1, *) * tensor.type.byteCount
            defer { offset = end }
            return TensorDescription(name: tensor.name, type: tensor.type, shape: tensor.shape, range: offset..<end)
        }
    }

    public var byteCount: Int { tensors.last?.range.upperBound ?? 0 }
    public var elementCount: Int { tensors.reduce(0) { $0 + $1.elementCount } }
    public var isAllFloat32: Bool { tensors.allSatisfy { $0.type == .f32 } }

    public subscript(name: String) -> TensorDescription? { tensors.first { $0.name == name } }

    /// What a layout's digest is the SHA-256 of: a line `name\ttype\tshape` a tensor, in the order of the data.
    public var canonicalBytes: [UInt8] {
        var text = "kumiai tensor layout v1\n"
        for tensor in tensors {
            text +=
                "\(tensor.name.jsonQuoted)\t\(tensor.type.rawValue)\t\(tensor.shape.map(String.init).joined(separator: ","))\n"
        }
        return Array(text.utf8)
    }
}
