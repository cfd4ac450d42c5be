@preconcurrency import CHDF5
import Glibc
import TestKit

/// Writes HDF5 files, both as real recorders write them and damaged or malicious ones.
package final class HDF5Writer {
    private let file: hid_t
    package let path: String

    /// How a dataset is stored.
    package enum Storage {
        case contiguous
        /// Chunks of `rows` rows; only the first `written` rows are written.
        case chunked(rows: Int, written: Int)
        /// One gzip chunk, which unpacks to these bytes.
        case packed([UInt8])
        /// Declares a filter that the library on this machine does not support.
        case filtered(H5Z_filter_t)
        /// Stored in another file.
        case external(String)
        /// Stored in another dataset.
        case virtual(String)
    }

    package init(_ path: String) {
        self.path = path
        H5open()
        file = H5Fcreate(path, UInt32(0x2), hid_t(H5P_DEFAULT), hid_t(H5P_DEFAULT))
        precondition(file >= 0)
    }

    deinit { H5Fclose(file) }

    package func group(_ name: String) {
        H5Gclose(H5Gcreate2(file, name, links, hid_t(H5P_DEFAULT), hid_t(H5P_DEFAULT)))
    }

    /// Writes float32 values, row-major.
    ///
    /// - Parameter fill: The fill value that the writer chooses; `nil` for the library's default.
    package func floats(
        _ name: String,
        _ shape: [Int],
        _ values: [Float],
        _ storage: Storage = .contiguous,
        fill: Float? = nil
    ) {
        write(name, shape, values, H5T_NATIVE_FLOAT_g, storage) { properties in
            if var fill { H5Pset_fill_value(properties, H5T_NATIVE_FLOAT_g, &fill) }
        }
    }

    package func bytes(_ name: String, _ shape: [Int], _ values: [UInt8]) {
        write(name, shape, values, H5T_NATIVE_UINT8_g, .contiguous)
    }
    package func signedBytes(_ name: String, _ shape: [Int], _ values: [Int8]) {
        write(name, shape, values, H5T_NATIVE_INT8_g, .contiguous)
    }
    package func words(_ name: String, _ shape: [Int], _ values: [UInt16]) {
        write(name, shape, values, H5T_NATIVE_UINT16_g, .contiguous)
    }

    /// Writes a list of names of `width` bytes each.
    package func names(_ name: String, _ names: [String], width: Int = 16) {
        let type = text(width, H5T_STR_NULLPAD)
        defer { H5Tclose(type) }
        let bytes = names.flatMap { Array($0.utf8) + [UInt8](repeating: 0, count: width - $0.utf8.count) }
        write(name, [names.count], bytes, type, .contiguous)
    }

    /// Writes a list of names of variable length, as h5py stores a list of texts.
    package func variableNames(_ name: String, _ names: [String], _ storage: Storage = .contiguous) {
        let type = variableText()
        defer { H5Tclose(type) }
        let texts = names.map { strdup($0) }
        defer { texts.forEach { free($0) } }
        write(name, [names.count], texts, type, storage)
    }

    /// Writes a text attribute of fixed length with exactly these bytes.
    package func attribute(_ name: String, of object: String, bytes: [UInt8], padding: H5T_str_t = H5T_STR_NULLPAD) {
        let type = text(max(1, bytes.count), padding), space = H5Screate(H5S_SCALAR)
        let attribute = H5Acreate_by_name(
            file,
            object,
            name,
            type,
            space,
            hid_t(H5P_DEFAULT),
            hid_t(H5P_DEFAULT),
            hid_t(H5P_DEFAULT)
        )
        precondition(attribute >= 0 && H5Awrite(attribute, type, bytes.isEmpty ? [0] : bytes) >= 0)
        H5Aclose(attribute)
        H5Sclose(space)
        H5Tclose(type)
    }

    /// Writes a text attribute of variable length.
    package func attribute(_ name: String, of object: String, variable text: String) {
        let type = variableText(), space = H5Screate(H5S_SCALAR)
        let attribute = H5Acreate_by_name(
            file,
            object,
            name,
            type,
            space,
            hid_t(H5P_DEFAULT),
            hid_t(H5P_DEFAULT),
            hid_t(H5P_DEFAULT)
        )
        text.withCString { pointer in
            var pointer: UnsafePointer<CChar>? = pointer
            precondition(attribute >= 0 && H5Awrite(attribute, type, &pointer) >= 0)
        }
        H5Aclose(attribute)
        H5Sclose(space)
        H5Tclose(type)
    }

    private func variableText() -> hid_t {
        let type = H5Tcopy(H5T_C_S1_g)
        H5Tset_size(type, Int(bitPattern: UInt.max))
        return type
    }

    package func attribute(_ name: String, of object: String, _ text: String) {
        attribute(name, of: object, bytes: Array(text.utf8))
    }

    /// Writes an integer attribute.
    package func attribute(_ name: String, of object: String, count: Int64) {
        attribute(name, of: object, count, H5T_NATIVE_INT64_g)
    }
    /// Writes a float32 attribute.
    package func attribute(_ name: String, of object: String, _ number: Float) {
        attribute(name, of: object, number, H5T_NATIVE_FLOAT_g)
    }

    private func attribute(_ name: String, of object: String, _ value: some BitwiseCopyable, _ type: hid_t) {
        let space = H5Screate(H5S_SCALAR)
        let attribute = H5Acreate_by_name(
            file,
            object,
            name,
            type,
            space,
            hid_t(H5P_DEFAULT),
            hid_t(H5P_DEFAULT),
            hid_t(H5P_DEFAULT)
        )
        var value = value
        precondition(attribute >= 0 && H5Awrite(attribute, type, &value) >= 0)
        H5Aclose(attribute)
        H5Sclose(space)
    }

    // MARK: Links

    package func softLink(_ name: String, to target: String) {
        precondition(H5Lcreate_soft(target, file, name, links, hid_t(H5P_DEFAULT)) >= 0)
    }
    package func hardLink(_ name: String, to target: String) {
        precondition(H5Lcreate_hard(file, target, file, name, links, hid_t(H5P_DEFAULT)) >= 0)
    }
    package func externalLink(_ name: String, to target: String, in other: String) {
        precondition(H5Lcreate_external(other, target, file, name, links, hid_t(H5P_DEFAULT)) >= 0)
    }
    package func remove(_ name: String) { precondition(H5Ldelete(file, name, hid_t(H5P_DEFAULT)) >= 0) }

    // MARK: Parts

    private lazy var links: hid_t = {
        let properties = H5Pcreate(H5P_CLS_LINK_CREATE_ID_g)
        H5Pset_create_intermediate_group(properties, 1)
        return properties
    }()

    private func text(_ width: Int, _ padding: H5T_str_t) -> hid_t {
        let type = H5Tcopy(H5T_C_S1_g)
        H5Tset_size(type, width)
        H5Tset_strpad(type, padding)
        return type
    }

    private func write<Element: BitwiseCopyable>(
        _ name: String,
        _ shape: [Int],
        _ values: [Element],
        _ type: hid_t,
        _ storage: Storage,
        _ configure: (hid_t) -> Void = { _ in }
    ) {
        let sizes = shape.map { hsize_t($0) }
        // Chunks can be larger than the dataset only if the dataset can grow.
        var limits = sizes
        if case .chunked(let rows, _) = storage, rows > shape[0] { limits[0] = .max }
        let space = H5Screate_simple(Int32(shape.count), sizes, limits),
            properties = H5Pcreate(H5P_CLS_DATASET_CREATE_ID_g)
        configure(properties)
        var written = shape.first ?? 0
        switch storage {
        case .contiguous: break
        case .chunked(let rows, let count):
            H5Pset_chunk(properties, Int32(shape.count), [hsize_t(rows)] + sizes.dropFirst())
            written = count
        case .filtered(let filter):
            H5Pset_chunk(properties, Int32(shape.count), sizes)
            H5Pset_filter(properties, filter, UInt32(H5Z_FLAG_OPTIONAL), 0, nil)
        case .packed:
            H5Pset_chunk(properties, Int32(shape.count), sizes)
            H5Pset_deflate(properties, 1)
            written = 0
        case .external(let path):
            H5Pset_external(properties, path, 0, hsize_t(values.count * MemoryLayout<Element>.stride))
        case .virtual(let source):
            H5Pset_virtual(properties, space, ".", source, space)
            written = 0
        }
        let dataset = H5Dcreate2(file, name, type, space, links, properties, hid_t(H5P_DEFAULT))
        precondition(dataset >= 0, "\(name) cannot be created")
        if case .packed(let bytes) = storage {
            let chunk = Self.zlib(bytes)
            precondition(
                H5Dwrite_chunk(
                    dataset,
                    hid_t(H5P_DEFAULT),
                    0,
                    [hsize_t](repeating: 0, count: shape.count),
                    chunk.count,
                    chunk
                ) >= 0
            )
        }
        if written > 0 { writeRows(dataset, space, type, sizes, written, values) }
        H5Dclose(dataset)
        H5Pclose(properties)
        H5Sclose(space)
    }

    /// Returns a zlib stream (RFC 1950) of one stored block.
    private static func zlib(_ bytes: [UInt8]) -> [UInt8] {
        var (a, b) = (UInt32(1), UInt32(0))
        for byte in bytes {
            a = (a + UInt32(byte)) % 65_521
            b = (b + a) % 65_521
        }
        let length = UInt16(bytes.count)
        func little(_ value: UInt16) -> [UInt8] { [UInt8(value & 0xff), UInt8(value >> 8)] }
        return [0x78, 0x01, 0x01] + little(length) + little(~length) + bytes
            + [b >> 8, b, a >> 8, a].map { UInt8($0 & 0xff) }
    }

    /// Writes only the first `rows` rows.
    private func writeRows<Element: BitwiseCopyable>(
        _ dataset: hid_t,
        _ space: hid_t,
        _ type: hid_t,
        _ sizes: [hsize_t],
        _ rows: Int,
        _ values: [Element]
    ) {
        let start = [hsize_t](repeating: 0, count: sizes.count), count = [hsize_t(rows)] + sizes.dropFirst()
        let memory = H5Screate_simple(Int32(sizes.count), count, nil)
        H5Sselect_hyperslab(space, H5S_SELECT_SET, start, nil, count, nil)
        precondition(H5Dwrite(dataset, type, memory, space, hid_t(H5P_DEFAULT), values) >= 0)
        H5Sselect_all(space)
        H5Sclose(memory)
    }
}
