import CHDF5
import Glibc

/// An HDF5 file opened for reading, with every size bounded before it is allocated.
///
/// libhdf5 is not thread-safe as Debian builds it: one thread at a time reads files, behind one lock.
final class HDF5File {
    private let file: hid_t
    let path: String

    /// Limits of what is read; README.md lists them.
    static let maximumElements = 1 << 30
    static let maximumTextBytes = 64 * 1024
    /// Of all texts of a list together.
    static let maximumTextsBytes = 16 << 20
    /// Bytes in memory for each stored byte: deflate does not reach it.
    static let maximumCompression = 2048

    init(path: String) throws {
        self.path = path
        guard access(path, F_OK) == 0 else { throw LearningError("\(path) does not exist") }
        H5Eset_auto2(hid_t(H5E_DEFAULT), nil, nil)
        file = H5Fopen(path, kumiai_h5f_read_only(), hid_t(H5P_DEFAULT))
        guard file >= 0 else { throw LearningError("\(path) is not an HDF5 file, or cannot be read") }
    }

    deinit { H5Fclose(file) }

    private func wrong(_ what: String) -> LearningError { LearningError("\(path): \(what)") }

    func exists(_ name: String) -> Bool {
        var prefix = ""
        for part in name.split(separator: "/") {
            prefix += "/" + part
            guard H5Lexists(file, prefix, hid_t(H5P_DEFAULT)) > 0 else { return false }
        }
        return true
    }

    /// A dataset's dimensions.
    func shape(_ name: String) throws -> [Int] {
        try withDataset(name) { try shape(of: $0, name) }
    }

    /// A dataset of numbers as float32, row-major.
    func float32s(_ name: String, shape wanted: [Int]) throws -> [Float] {
        try read(name, wanted, .float, kumiai_h5t_float())
    }

    /// A dataset of bytes, row-major.
    func bytes(_ name: String, shape wanted: [Int]) throws -> [UInt8] {
        try read(name, wanted, .integer, kumiai_h5t_uint8())
    }

    private func read<Element: BinaryFloatingPointOrByte>(
        _ name: String, _ wanted: [Int], _ kind: H5TypeClass, _ memoryType: hid_t
    ) throws -> [Element] {
        try withDataset(name) { dataset in
            let type = H5Dget_type(dataset)
            defer { H5Tclose(type) }
            guard H5Tget_class(type) == kind.value else { throw wrong("\(name) does not hold \(kind.name)") }
            let found = try shape(of: dataset, name)
            guard found == wanted else { throw wrong("\(name) has the shape \(found), \(wanted) is wanted") }
            let count = found.reduce(1, *)
            // A file of a few bytes can declare a dataset of any size and store nothing of it.
            let stored = Int(clamping: H5Dget_storage_size(dataset))
            let (largest, _) = stored.multipliedReportingOverflow(by: Self.maximumCompression)
            guard stored > 0, count * MemoryLayout<Element>.size <= max(largest, Self.maximumCompression) else {
                throw wrong("\(name) declares \(count) elements and stores \(stored) bytes")
            }
            return try [Element](unsafeUninitializedCapacity: count) { buffer, initialized in
                guard H5Dread(dataset, memoryType, kumiai_h5s_all(), kumiai_h5s_all(), hid_t(H5P_DEFAULT), buffer.baseAddress) >= 0
                else { throw wrong("\(name) cannot be read") }
                initialized = count
            }
        }
    }

    private func shape(of dataset: hid_t, _ name: String) throws -> [Int] {
        let space = H5Dget_space(dataset)
        defer { H5Sclose(space) }
        let rank = H5Sget_simple_extent_ndims(space)
        guard (0...8).contains(rank) else { throw wrong("\(name) has \(rank) dimensions") }
        var sizes = [hsize_t](repeating: 0, count: max(1, Int(rank)))
        H5Sget_simple_extent_dims(space, &sizes, nil)
        var count = 1
        for size in sizes.prefix(Int(rank)) {
            let (product, overflow) = count.multipliedReportingOverflow(by: Int(clamping: size))
            guard !overflow, product <= Self.maximumElements else {
                throw wrong("\(name) has more than \(Self.maximumElements) elements")
            }
            count = product
        }
        return sizes.prefix(Int(rank)).map { Int(clamping: $0) }
    }

    private func withDataset<R>(_ name: String, _ body: (hid_t) throws -> R) throws -> R {
        guard exists(name) else { throw wrong("\(name) is missing") }
        let dataset = H5Dopen2(file, name, hid_t(H5P_DEFAULT))
        guard dataset >= 0 else { throw wrong("\(name) is not a dataset") }
        defer { H5Dclose(dataset) }
        return try body(dataset)
    }

    // MARK: Text

    /// A one-dimensional dataset of strings of fixed length or of any length.
    func strings(_ name: String, atMost limit: Int) throws -> [String] {
        try withDataset(name) { dataset in
            let type = H5Dget_type(dataset)
            defer { H5Tclose(type) }
            let shape = try shape(of: dataset, name)
            guard H5Tget_class(type) == H5T_STRING, shape.count == 1, shape[0] <= limit else {
                throw wrong("\(name) is not a list of at most \(limit) names")
            }
            return try texts(type, count: shape[0], name) { memoryType, buffer in
                H5Dread(dataset, memoryType, kumiai_h5s_all(), kumiai_h5s_all(), hid_t(H5P_DEFAULT), buffer)
            }
        }
    }

    /// A text attribute of an object.
    func attribute(_ name: String, of object: String) throws -> String {
        let attribute = H5Aopen_by_name(file, object, name, hid_t(H5P_DEFAULT), hid_t(H5P_DEFAULT))
        guard attribute >= 0 else { throw wrong("\(object) has no attribute \(name)") }
        defer { H5Aclose(attribute) }
        let type = H5Aget_type(attribute)
        let space = H5Aget_space(attribute)
        defer {
            H5Tclose(type)
            H5Sclose(space)
        }
        guard H5Tget_class(type) == H5T_STRING, H5Sget_simple_extent_npoints(space) == 1 else {
            throw wrong("the attribute \(name) of \(object) is not a text")
        }
        return try texts(type, count: 1, name) { H5Aread(attribute, $0, $1) }[0]
    }

    private func texts(
        _ type: hid_t, count: Int, _ name: String, _ read: (hid_t, UnsafeMutableRawPointer) -> herr_t
    ) throws -> [String] {
        H5Tis_variable_str(type) > 0
            ? try variableTexts(type, count: count, name, read) : try fixedTexts(type, count: count, name, read)
    }

    private func fixedTexts(
        _ type: hid_t, count: Int, _ name: String, _ read: (hid_t, UnsafeMutableRawPointer) -> herr_t
    ) throws -> [String] {
        let width = H5Tget_size(type)
        guard width > 0, width <= Self.maximumTextBytes else { throw wrong("a text in \(name) is longer than \(Self.maximumTextBytes) bytes") }
        guard count * width <= Self.maximumTextsBytes else { throw wrong("the texts in \(name) take more than \(Self.maximumTextsBytes) bytes") }
        var bytes = [UInt8](repeating: 0, count: max(1, count * width))
        guard bytes.withUnsafeMutableBytes({ read(type, $0.baseAddress!) }) >= 0 else { throw wrong("\(name) cannot be read") }
        return (0..<count).map { index in
            String(decoding: bytes[index * width..<(index + 1) * width].prefix { $0 != 0 }, as: UTF8.self)
        }
    }

    private func variableTexts(
        _ type: hid_t, count: Int, _ name: String, _ read: (hid_t, UnsafeMutableRawPointer) -> herr_t
    ) throws -> [String] {
        var pointers = [UnsafeMutablePointer<CChar>?](repeating: nil, count: max(1, count))
        guard pointers.withUnsafeMutableBytes({ read(type, $0.baseAddress!) }) >= 0 else { throw wrong("\(name) cannot be read") }
        defer { for pointer in pointers where pointer != nil { H5free_memory(pointer) } }
        return try pointers.prefix(count).map { pointer in
            guard let pointer, strnlen(pointer, Self.maximumTextBytes + 1) <= Self.maximumTextBytes else {
                throw wrong("a text in \(name) is missing or longer than \(Self.maximumTextBytes) bytes")
            }
            return String(cString: pointer)
        }
    }
}

private protocol BinaryFloatingPointOrByte {}
extension Float: BinaryFloatingPointOrByte {}
extension UInt8: BinaryFloatingPointOrByte {}

/// The class of a dataset's elements, with its name for people.
private struct H5TypeClass {
    let value: H5T_class_t
    let name: String
}

extension H5TypeClass {
    fileprivate static var float: H5TypeClass { H5TypeClass(value: H5T_FLOAT, name: "floating-point numbers") }
    fileprivate static var integer: H5TypeClass { H5TypeClass(value: H5T_INTEGER, name: "whole numbers") }
}
