/// A tensor's type, shape and position in a safetensors file.
public struct TensorDescription: Equatable, Sendable {
    public let name: String
    public let type: ElementType
    /// Row-major; empty for a scalar.
    public let shape: [Int]
    /// The byte range within the data buffer.
    public let range: Range<Int>

    /// Creates a description. The range is not compared with the type and the shape.
    ///
    /// - Parameters:
    ///   - name: The tensor's name.
    ///   - type: The type of its elements.
    ///   - shape: The sizes of its dimensions, row-major; empty for a scalar.
    ///   - range: Its byte range within the data buffer.
    public init(name: String, type: ElementType, shape: [Int], range: Range<Int>) {
        self.name = name
        self.type = type
        self.shape = shape
        self.range = range
    }

    public var elementCount: Int { shape.reduce(1, *) }
}

/// The tensors of a file in the order of their data, without gaps.
///
/// Files with the same layout differ only in their values: each element has the same position in both.
public struct TensorLayout: Equatable, Sendable {
    public let tensors: [TensorDescription]

    /// Creates a layout of tensors that already have their places.
    ///
    /// - Parameter tensors: The tensors, which must be contiguous from offset 0.
    public init(tensors: [TensorDescription]) { self.tensors = tensors }

    /// Arranges tensors like the official writer: wider types first, then by name.
    ///
    /// - Parameter tensors: The tensors in any order, with different names.
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
    /// Whether all tensors are of types that hold weights.
    public var holdsWeights: Bool { tensors.allSatisfy(\.type.holdsWeights) }

    /// For each tensor, the number of elements before it.
    var elementStarts: [Int] {
        var start = 0
        return tensors.map { tensor in
            defer { start += tensor.elementCount }
            return start
        }
    }

    /// The tensors' places in the order of the data, in elements, by name.
    public var elementRanges: [String: Range<Int>] {
        Dictionary(
            uniqueKeysWithValues: zip(tensors, elementStarts).map { ($0.name, $1..<$1 + $0.elementCount) }
        )
    }

    /// The same tensors in the same order as float32.
    public var asFloat32: TensorLayout {
        guard !isAllFloat32 else { return self }
        let size = ElementType.f32.byteCount
        return TensorLayout(
            tensors: zip(tensors, elementStarts).map { tensor, start in
                TensorDescription(
                    name: tensor.name,
                    type: .f32,
                    shape: tensor.shape,
                    range: start * size..<(start + tensor.elementCount) * size
                )
            }
        )
    }

    public subscript(name: String) -> TensorDescription? { tensors.first { $0.name == name } }

    /// The input of the layout's SHA-256 digest: one line `name\ttype\tshape` per tensor, in the order of the data.
    public var canonicalBytes: [UInt8] {
        var text = "kumiai tensor layout v1\n"
        for tensor in tensors {
            text +=
                "\(tensor.name.jsonQuoted)\t\(tensor.type.rawValue)\t\(tensor.shape.map(String.init).joined(separator: ","))\n"
        }
        return Array(text.utf8)
    }
}
