import CHDF5

/// Checks where a dataset's values are stored, and whether they were written.
extension HDF5File {
    /// Refuses datasets with values outside the file, or with a filter that the library does not have. Must be called
    /// before any operation that could open another file.
    func checkStorage(_ dataset: hid_t, _ name: String) throws {
        try withProperties(of: dataset, name) { properties in
            guard H5Pget_layout(properties) != H5D_VIRTUAL else {
                throw wrong(
                    "\(name) is a virtual dataset: its values are in other datasets, which are not read",
                    hint: "write the values themselves into the file"
                )
            }
            guard H5Pget_external_count(properties) == 0 else {
                throw wrong(
                    "\(name) has external storage: its values are in other files, which are not opened",
                    hint: "write the values themselves into the file, for example with h5repack"
                )
            }
            let missing = try filters(properties, name).filter { H5Zfilter_avail($0) <= 0 }
            guard missing.isEmpty else {
                throw wrong(
                    "\(name) is compressed with \(missing.map(Self.filterName).joined(separator: " and ")), "
                        + "which the HDF5 library on this machine does not support",
                    hint: "write it with gzip, or without compression"
                )
            }
        }
    }

    private static let maximumFilters = 32

    func filters(_ properties: hid_t, _ name: String) throws -> [H5Z_filter_t] {
        let count = H5Pget_nfilters(properties)
        guard (0...Self.maximumFilters).contains(Int(count)) else {
            throw wrong("\(name) has \(count) filters; expected 0 to \(Self.maximumFilters)")
        }
        return try (0..<UInt32(count)).map { index in
            var flags: UInt32 = 0
            var parameters = 0
            var configuration: UInt32 = 0
            let filter = H5Pget_filter2(properties, index, &flags, &parameters, nil, 0, nil, &configuration)
            guard filter >= 0 else { throw wrong("filter \(index) of \(name) cannot be read") }
            return filter
        }
    }

    /// Returns the name of a filter from the HDF Group's registry. The name in the file is not used, because it can be
    /// any text.
    static func filterName(_ filter: H5Z_filter_t) -> String {
        let names: [H5Z_filter_t: String] = [
            1: "gzip", 2: "shuffle", 3: "fletcher32", 4: "szip", 5: "nbit", 6: "scaleoffset", 307: "bzip2",
            32000: "lzf", 32001: "blosc",
            32004: "lz4", 32008: "bitshuffle", 32013: "zfp", 32015: "zstd", 32026: "blosc2",
        ]
        return "\(names[filter].map { "\($0), " } ?? "")HDF5 filter \(filter)"
    }

    /// Refuses a dataset if parts of it were never written, because the library would return the fill value for them.
    func checkWritten(_ dataset: hid_t, _ shape: [Int], _ name: String) throws {
        guard shape.allSatisfy({ $0 > 0 }) else { return }
        guard H5Dget_storage_size(dataset) > 0 else {
            throw wrong("\(name) has the shape \(shape), but none of it was written")
        }
        guard let chunks = try chunks(dataset, shape, name) else { return }
        guard chunks.written == chunks.all else {
            throw wrong(
                "\(name) has the shape \(shape), but only \(chunks.written) of its \(chunks.all) chunks were written",
                hint:
                    """
                    its recording was cut short: shorten the dataset to the recorded steps, or remove the \
                    demonstration
                    """
            )
        }
    }

    /// Counts the chunks of a dataset; `nil` if it is not stored in chunks.
    private func chunks(_ dataset: hid_t, _ shape: [Int], _ name: String) throws -> (written: Int, all: Int)? {
        try withProperties(of: dataset, name) { properties in
            guard H5Pget_layout(properties) == H5D_CHUNKED else { return nil }
            let all = zip(shape, try chunkSides(properties, rank: shape.count, name)).reduce(1) {
                $0 * (($1.0 - 1) / $1.1 + 1)
            }
            let space = H5Dget_space(dataset)
            defer { H5Sclose(space) }
            var written: hsize_t = 0
            guard H5Dget_num_chunks(dataset, space, &written) >= 0 else {
                throw wrong("the chunks of \(name) cannot be counted")
            }
            return (Int(clamping: written), all)
        }
    }
}
