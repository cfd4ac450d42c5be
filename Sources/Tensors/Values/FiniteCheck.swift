/// A NaN or infinite value in a model.
public struct NotFiniteError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The reader's name for the file; empty if it has none.
    public let file: String
    public let tensor: String
    /// The element's position, row-major, one index per dimension.
    public let index: [Int]
    /// NaN, infinity or −infinity.
    public let value: String

    public var message: String {
        "\(file.isEmpty ? "" : "\(file): ")\(tensor)\(index.isEmpty ? "" : "\(index)") is \(value)"
    }
    public var hint: String {
        "all values of a model must be finite: use an earlier version, from before its training diverged"
    }
    public var description: String { message }

    init(file: String, tensor: TensorDescription, element: Int, value: String) {
        self.file = file
        self.tensor = tensor.name
        self.value = value
        var (rest, index) = (element, [Int]())
        for size in tensor.shape.reversed() {
            index.insert(rest % size, at: 0)
            rest /= size
        }
        self.index = index
    }
}

extension SafetensorsFile {
    /// Reads all data, one block at a time.
    ///
    /// - Throws: ``NotFiniteError`` at the first value that is NaN or infinite, `SafetensorsError` or `InputFileError`
    ///   if the data cannot be read.
    public func checkFinite() throws {
        let block = UnsafeMutableRawBufferPointer.allocate(byteCount: Self.blockBytes, alignment: 16)
        defer { block.deallocate() }
        for tensor in layout.tensors where tensor.type.exponentMask != nil {
            for start in stride(from: tensor.range.lowerBound, to: tensor.range.upperBound, by: block.count) {
                let part = UnsafeMutableRawBufferPointer(
                    rebasing: block[..<min(block.count, tensor.range.upperBound - start)]
                )
                try read(into: part, at: start)
                guard let found = tensor.type.firstNonFinite(in: UnsafeRawBufferPointer(part)) else { continue }
                let element = (start - tensor.range.lowerBound) / tensor.type.byteCount + found.element
                throw NotFiniteError(file: name, tensor: tensor, element: element, value: found.value)
            }
        }
    }
}

extension TensorLayout {
    /// Checks that all values are finite.
    ///
    /// - Parameters:
    ///   - values: The values of all tensors, which are float32, in their order.
    ///   - name: The name of the model in errors.
    /// - Throws: ``NotFiniteError`` if a value is NaN or infinite.
    public func checkFinite(_ values: [Float], called name: String = "") throws {
        precondition(values.count == elementCount)
        guard let found = values.withUnsafeBytes({ ElementType.f32.firstNonFinite(in: $0) }) else { return }
        let index = elementStarts.lastIndex { $0 <= found.element }!
        throw NotFiniteError(
            file: name,
            tensor: tensors[index],
            element: found.element - elementStarts[index],
            value: found.value
        )
    }
}

extension TensorDescription {
    /// Checks that all of this tensor's float32 values are finite.
    ///
    /// - Parameters:
    ///   - values: The tensor's elements, row-major.
    ///   - name: The name of the model in errors.
    /// - Throws: ``NotFiniteError`` if a value is NaN or infinite.
    public func checkFinite(_ values: [Float], called name: String = "") throws {
        guard let found = values.withUnsafeBytes({ ElementType.f32.firstNonFinite(in: $0) }) else { return }
        throw NotFiniteError(file: name, tensor: self, element: found.element, value: found.value)
    }
}

extension ElementType {
    /// The exponent bits, which are all set only in NaN and infinity; `nil` for integers.
    fileprivate var exponentMask: UInt64? {
        switch self {
        case .f64: 0x7ff0_0000_0000_0000
        case .f32: 0x7f80_0000
        case .f16: 0x7c00
        case .bf16: 0x7f80
        case .i64, .i32, .i16, .i8, .u64, .u32, .u16, .u8, .boolean: nil
        }
    }

    /// Returns the first NaN or infinite value in `bytes`, which must be whole elements.
    fileprivate func firstNonFinite(in bytes: UnsafeRawBufferPointer) -> (element: Int, value: String)? {
        guard let mask = exponentMask else { return nil }
        return switch byteCount {
        case 8: bytes.withMemoryRebound(to: UInt64.self) { first(in: $0, mask) }
        case 4: bytes.withMemoryRebound(to: UInt32.self) { first(in: $0, UInt32(mask)) }
        default: bytes.withMemoryRebound(to: UInt16.self) { first(in: $0, UInt16(mask)) }
        }
    }

    private func first<Bits: FixedWidthInteger & UnsignedInteger>(
        in values: UnsafeBufferPointer<Bits>,
        _ mask: Bits
    ) -> (element: Int, value: String)? {
        // Without a branch, the loop runs at memory speed.
        var found: Bits = 0
        for bits in values { found |= bits & mask == mask ? 1 : 0 }
        guard found != 0, let element = values.firstIndex(where: { $0 & mask == mask }) else { return nil }
        let bits = values[element], sign: Bits = 1 << (Bits.bitWidth - 1)
        return (element, bits & ~(mask | sign) != 0 ? "NaN" : bits & sign != 0 ? "-infinity" : "infinity")
    }
}
