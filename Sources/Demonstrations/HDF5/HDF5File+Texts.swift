import CHDF5
import Glibc

extension HDF5File {
    /// Reads a one-dimensional dataset of strings, of fixed or variable length.
    func strings(_ name: String, atMost limit: Int) throws -> [String] {
        try withDataset(name) { dataset in
            let type = H5Dget_type(dataset)
            defer { H5Tclose(type) }
            let shape = try shape(of: dataset, name)
            guard H5Tget_class(type) == H5T_STRING, shape.count == 1, shape[0] <= limit else {
                throw wrong("\(name) is not a list of at most \(limit) names")
            }
            guard shape[0] > 0 else { return [] }
            try checkWritten(dataset, shape, name)
            try checkBytes(dataset, shape, name)
            return try texts(type, count: shape[0], name) { memoryType, buffer in
                H5Dread(dataset, memoryType, kumiai_h5s_all(), kumiai_h5s_all(), hid_t(H5P_DEFAULT), buffer)
            }
        }
    }

    /// Reads a text attribute of an object; `nil` if there is none.
    ///
    /// - Throws: `ContractError` if the attribute is not a single text.
    func attribute(_ name: String, of object: String) throws -> String? {
        try withAttribute(name, of: object) { attribute, type, isSingle, label in
            guard H5Tget_class(type) == H5T_STRING, isSingle else { throw wrong("\(label) is not a text") }
            return try texts(type, count: 1, label) { H5Aread(attribute, $0, $1) }[0]
        }
    }

    /// Reads an integer attribute of an object; `nil` if there is none.
    ///
    /// - Throws: `ContractError` if the attribute is not a single integer.
    func count(_ name: String, of object: String) throws -> Int? {
        try withAttribute(name, of: object) { attribute, type, isSingle, label in
            var value: Int64 = 0
            guard H5Tget_class(type) == H5T_INTEGER, isSingle, H5Aread(attribute, kumiai_h5t_int64(), &value) >= 0
            else {
                throw wrong("\(label) is not an integer")
            }
            return Int(value)
        }
    }

    /// Opens an attribute; `nil` if there is none.
    ///
    /// - Parameter body: Called with the attribute, its type, whether it is a single value, and its name for errors.
    private func withAttribute<R>(
        _ name: String,
        of object: String,
        _ body: (_ attribute: hid_t, _ type: hid_t, _ isSingle: Bool, _ label: String) throws -> R
    ) throws -> R? {
        guard let place = try resolve(object) else { throw wrong("\(object) is missing") }
        let found = H5Aexists_by_name(file, place, name, hid_t(H5P_DEFAULT))
        guard found >= 0 else { throw wrong("the attributes of \(object) cannot be read") }
        guard found > 0 else { return nil }
        let label = "the attribute \(name) of \(object)"
        let attribute = H5Aopen_by_name(file, place, name, hid_t(H5P_DEFAULT), hid_t(H5P_DEFAULT))
        guard attribute >= 0 else { throw wrong("\(label) cannot be read") }
        defer { H5Aclose(attribute) }
        let type = H5Aget_type(attribute)
        let space = H5Aget_space(attribute)
        defer {
            H5Tclose(type)
            H5Sclose(space)
        }
        return try body(attribute, type, H5Sget_simple_extent_npoints(space) == 1, label)
    }

    private func texts(
        _ type: hid_t,
        count: Int,
        _ name: String,
        _ read: (hid_t, UnsafeMutableRawPointer) -> herr_t
    ) throws -> [String] {
        H5Tis_variable_str(type) > 0
            ? try variableTexts(type, count: count, name, read) : try fixedTexts(type, count: count, name, read)
    }

    private func fixedTexts(
        _ type: hid_t,
        count: Int,
        _ name: String,
        _ read: (hid_t, UnsafeMutableRawPointer) -> herr_t
    ) throws -> [String] {
        let width = H5Tget_size(type)
        guard width > 0, width <= Self.maximumTextBytes else {
            throw wrong("a text in \(name) is longer than \(Self.maximumTextBytes) bytes")
        }
        guard count * width <= Self.maximumTextsBytes else {
            throw wrong("the texts in \(name) take more than \(Self.maximumTextsBytes) bytes")
        }
        var bytes = [UInt8](repeating: 0, count: max(1, count * width))
        guard bytes.withUnsafeMutableBytes({ read(type, $0.baseAddress!) }) >= 0 else {
            throw wrong("\(name) cannot be read")
        }
        let padding = H5Tget_strpad(type)
        return try (0..<count).map { index in
            var text = bytes[index * width..<(index + 1) * width]
            // Padding is removed only at the end, also from NUL-terminated texts: a text with bytes after its first NUL
            // is refused below, because other programs may read these bytes.
            while let last = text.last, last == 0 || (padding == H5T_STR_SPACEPAD && last == 32) { text.removeLast() }
            return try self.text(text, name)
        }
    }

    private func variableTexts(
        _ type: hid_t,
        count: Int,
        _ name: String,
        _ read: (hid_t, UnsafeMutableRawPointer) -> herr_t
    ) throws -> [String] {
        // Read as lists of bytes, which have a length; read as texts, they would end at their first NUL.
        let bytes = H5Tvlen_create(kumiai_h5t_uint8())
        defer { H5Tclose(bytes) }
        var lists = [hvl_t](repeating: hvl_t(), count: max(1, count))
        guard lists.withUnsafeMutableBytes({ read(bytes, $0.baseAddress!) }) >= 0 else {
            throw wrong("\(name) cannot be read")
        }
        defer { for list in lists where list.p != nil { H5free_memory(list.p) } }
        return try lists.prefix(count).map { list in
            guard list.len <= Self.maximumTextBytes else {
                throw wrong("a text in \(name) is longer than \(Self.maximumTextBytes) bytes")
            }
            // Some programs also store the NUL that terminates a text in memory.
            var text = Array(UnsafeRawBufferPointer(start: list.p, count: list.len))
            while text.last == 0 { text.removeLast() }
            return try self.text(text, name)
        }
    }

    /// Decodes a text strictly: with replacement characters, or up to the first NUL only, it would be another text.
    private func text(_ bytes: some Sequence<UInt8>, _ name: String) throws -> String {
        let bytes = Array(bytes)
        guard !bytes.contains(0) else {
            throw wrong("\(name) contains a text with a NUL character", hint: "write the text without it")
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw wrong(
                "\(name) contains a text that is not UTF-8",
                hint: "write texts as UTF-8; Latin-1, for example, encodes é as a different byte"
            )
        }
        return text
    }
}
