/// The header of a safetensors file: its tensors and its metadata.
public struct SafetensorsHeader: Equatable, Sendable {
    public let layout: TensorLayout
    /// Sorted by name.
    public let metadata: [(name: String, value: String)]
    /// The number of bytes before the data: 8 + N.
    public let byteCount: Int

    /// Whether two headers have the same layout and the same metadata; their sizes in bytes are not compared.
    ///
    /// - Parameters:
    ///   - a: A header.
    ///   - b: Another header.
    public static func == (a: SafetensorsHeader, b: SafetensorsHeader) -> Bool {
        a.layout == b.layout && a.metadata.elementsEqual(b.metadata) { $0 == $1 }
    }

    public subscript(metadata name: String) -> String? { metadata.first { $0.name == name }?.value }
}

/// Why a file is not a valid safetensors file.
public struct SafetensorsError: Error, Equatable, Sendable, CustomStringConvertible {
    public let message: String
    /// The reader's name for the file; empty if it has none.
    public let file: String

    /// Creates an error.
    ///
    /// - Parameters:
    ///   - message: Why the file is not valid, as it follows "not a valid safetensors file:".
    ///   - file: The reader's name for the file; empty if it has none.
    public init(_ message: String, file: String = "") {
        self.message = message
        self.file = file
    }

    /// Returns the same error for a named file.
    func of(_ name: String) -> SafetensorsError { file.isEmpty ? SafetensorsError(message, file: name) : self }

    public var description: String { "\(file.isEmpty ? "" : "\(file) is ")not a valid safetensors file: \(message)" }
}

/// Limits on files to read; README.md lists them.
public enum SafetensorsLimits {
    /// The format allows 100,000,000; no model needs a header that large.
    public static let headerBytes = 16 * 1024 * 1024
    public static let tensors = 100_000
    public static let nameBytes = 512
    public static let dimensions = 16
}

extension SafetensorsHeader {
    /// Reads the length prefix.
    ///
    /// - Parameters:
    ///   - prefix: The first 8 bytes of the file: the length as a little-endian number.
    ///   - fileByteCount: The size of the whole file, in bytes.
    /// - Returns: The number of bytes of JSON that follow it.
    /// - Throws: `SafetensorsError` if the length is above ``SafetensorsLimits/headerBytes``, or above what the file
    ///   has.
    public static func length(_ prefix: [UInt8], fileByteCount: Int) throws(SafetensorsError) -> Int {
        guard prefix.count == 8, fileByteCount >= 8 else { throw SafetensorsError("shorter than 8 bytes") }
        let length = prefix.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        guard length <= UInt64(SafetensorsLimits.headerBytes) else {
            throw SafetensorsError("a header of \(length) bytes; expected at most \(SafetensorsLimits.headerBytes)")
        }
        guard Int(length) <= fileByteCount - 8 else { throw SafetensorsError("the header is longer than the file") }
        return Int(length)
    }

    /// Parses a header's JSON strictly, for a file of `fileByteCount` bytes.
    ///
    /// - Parameters:
    ///   - json: The bytes after the length prefix, including the spaces that pad them.
    ///   - fileByteCount: The size of the whole file, in bytes.
    /// - Throws: `SafetensorsError` if the header is not valid or does not fit the file.
    public init(json: [UInt8], fileByteCount: Int) throws(SafetensorsError) {
        guard json.first == UInt8(ascii: "{") else { throw SafetensorsError("the header does not begin with {") }
        guard json.last(where: { $0 != UInt8(ascii: " ") }) == UInt8(ascii: "}") else {
            throw SafetensorsError("the header is padded with bytes other than spaces")
        }
        let root: JSONValue
        do {
            root = try JSONParser.parse(json)
        } catch {
            throw SafetensorsError("its header: \(error)")
        }
        var metadata: [(name: String, value: String)] = []
        var tensors: [TensorDescription] = []
        guard let members = root.object, members.count <= SafetensorsLimits.tensors + 1 else {
            throw SafetensorsError("more than \(SafetensorsLimits.tensors) tensors")
        }
        for (name, value) in members {
            if name == "__metadata__" {
                metadata = try Self.metadata(value)
            } else {
                tensors.append(try Self.tensor(name, value))
            }
        }
        tensors.sort { ($0.range.lowerBound, $0.range.upperBound) < ($1.range.lowerBound, $1.range.upperBound) }
        var end = 0
        for tensor in tensors {
            guard tensor.range.lowerBound == end else {
                throw SafetensorsError("a gap or an overlap before \(tensor.name)")
            }
            end = tensor.range.upperBound
        }
        byteCount = 8 + json.count
        guard end == fileByteCount - byteCount else {
            throw SafetensorsError("the data has \(fileByteCount - byteCount) bytes; expected \(end)")
        }
        layout = TensorLayout(tensors: tensors)
        self.metadata = metadata.sorted { $0.name < $1.name }
    }

    private static func metadata(_ value: JSONValue) throws(SafetensorsError) -> [(name: String, value: String)] {
        guard let members = value.object else { throw SafetensorsError("__metadata__ is not an object") }
        var result: [(name: String, value: String)] = []
        for (name, value) in members {
            guard let text = value.string else {
                throw SafetensorsError("__metadata__ has a value that is not text")
            }
            result.append((name, text))
        }
        return result
    }

    private static func tensor(_ name: String, _ value: JSONValue) throws(SafetensorsError) -> TensorDescription {
        guard !name.isEmpty, name.utf8.count <= SafetensorsLimits.nameBytes, !name.utf8.contains(0) else {
            throw SafetensorsError(
                "a tensor's name is empty, has a NUL or is longer than \(SafetensorsLimits.nameBytes) bytes"
            )
        }
        guard let members = value.object, members.count == 3, let typeName = value["dtype"]?.string,
            let dimensions = value["shape"]?.array, let offsets = value["data_offsets"]?.array, offsets.count == 2
        else { throw SafetensorsError("\(name) is not {dtype, shape, data_offsets}") }
        guard let type = ElementType(rawValue: typeName) else {
            throw SafetensorsError("\(name) has the unknown type \(typeName.prefix(16))")
        }
        guard dimensions.count <= SafetensorsLimits.dimensions else {
            throw SafetensorsError("\(name) has more than \(SafetensorsLimits.dimensions) dimensions")
        }
        var shape: [Int] = []
        var byteCount = type.byteCount
        for dimension in dimensions {
            guard let size = dimension.integer else {
                throw SafetensorsError("\(name) has a dimension that is not an integer")
            }
            let (product, overflow) = byteCount.multipliedReportingOverflow(by: size)
            guard !overflow else { throw SafetensorsError("the size of \(name) overflows") }
            byteCount = product
            shape.append(size)
        }
        guard let begin = offsets[0].integer, let end = offsets[1].integer, begin <= end, end - begin == byteCount
        else {
            throw SafetensorsError("the offsets of \(name) do not fit its shape")
        }
        return TensorDescription(name: name, type: type, shape: shape, range: begin..<end)
    }
}

extension SafetensorsHeader {
    /// Returns the bytes before the data, padded like the official writer's.
    ///
    /// - Parameters:
    ///   - layout: The tensors.
    ///   - metadata: The metadata, in any order; each name occurs once.
    public static func encode(_ layout: TensorLayout, metadata: [(name: String, value: String)] = []) -> [UInt8] {
        var members: [String] = []
        if !metadata.isEmpty {
            let pairs = metadata.sorted { $0.name < $1.name }.map { "\($0.name.jsonQuoted):\($0.value.jsonQuoted)" }
            members.append("\"__metadata__\":{\(pairs.joined(separator: ","))}")
        }
        for tensor in layout.tensors {
            let shape = tensor.shape.map(String.init).joined(separator: ",")
            members.append(
                "\(tensor.name.jsonQuoted):{\"dtype\":\"\(tensor.type.rawValue)\",\"shape\":[\(shape)],\"data_offsets\":[\(tensor.range.lowerBound),\(tensor.range.upperBound)]}"
            )
        }
        var json = Array("{\(members.joined(separator: ","))}".utf8)
        while json.count % 8 != 0 { json.append(0x20) }
        let length = UInt64(json.count)
        return (0..<8).map { UInt8(truncatingIfNeeded: length >> (8 * UInt64($0))) } + json
    }
}
