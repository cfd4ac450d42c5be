import CHDF5

extension HDF5File {
    /// Returns a dataset's dimensions.
    ///
    /// - Throws: `ContractError` if the dataset is missing, or was not written completely.
    func shape(_ name: String) throws -> [Int] {
        try withDataset(name) { dataset in
            let shape = try shape(of: dataset, name)
            try checkWritten(dataset, shape, name)
            return shape
        }
    }

    func type(_ name: String) throws -> HDF5Type {
        try withDataset(name) { dataset in
            let type = H5Dget_type(dataset)
            defer { H5Tclose(type) }
            return HDF5Type(type)
        }
    }

    /// Reads a dataset of floating-point numbers as float32, row-major.
    func float32s(_ name: String, shape expected: [Int]) throws -> [Float] {
        try read(name, expected, kumiai_h5t_float(), of: "floating-point numbers") { $0.kind == .float }
    }

    /// Reads a dataset of bytes, row-major.
    func bytes(_ name: String, shape expected: [Int]) throws -> [UInt8] {
        try read(name, expected, kumiai_h5t_uint8(), of: "uint8") { $0.isByte }
    }

    /// Returns the smallest and the largest number of a dataset of any numeric type, for an error's text; `nil` if the
    /// dataset cannot be read, or is so large that this would take too long.
    func extremes(_ name: String) -> (least: Float, largest: Float)? {
        guard let shape = try? shape(name), (1...Self.maximumExtremes).contains(shape.reduce(1, *)),
            let values: [Float] = try? read(name, shape, kumiai_h5t_float(), of: "numbers", where: { $0.isNumber }),
            let least = values.min(), let largest = values.max()
        else { return nil }
        return (least, largest)
    }

    private static let maximumExtremes = 1 << 26

    /// Returns the value that the library returns for elements that were never written, as float32, and whether the
    /// file's writer chose it (a chosen 0 counts as the default).
    func fill(_ name: String) throws -> (value: Float, isChosen: Bool) {
        try withDataset(name) { dataset in
            try withProperties(of: dataset, name) { properties in
                var status = H5D_FILL_VALUE_ERROR
                guard H5Pfill_value_defined(properties, &status) >= 0 else {
                    throw wrong("the fill value of \(name) cannot be read")
                }
                guard status == H5D_FILL_VALUE_USER_DEFINED else { return (0, false) }
                var value: Float = 0
                guard H5Pget_fill_value(properties, kumiai_h5t_float(), &value) >= 0 else {
                    throw wrong("the fill value of \(name) cannot be read")
                }
                return (value, value != 0)
            }
        }
    }

    private func read<Element: HDF5Element>(
        _ name: String,
        _ expected: [Int],
        _ memoryType: hid_t,
        of kind: String,
        where isRight: (HDF5Type) -> Bool
    ) throws -> [Element] {
        try withDataset(name) { dataset in
            let type = H5Dget_type(dataset)
            defer { H5Tclose(type) }
            let elements = HDF5Type(type)
            guard isRight(elements) else { throw wrong("\(name) contains \(elements); expected \(kind)") }
            let found = try shape(of: dataset, name)
            guard found == expected else { throw wrong("\(name) has the shape \(found); expected \(expected)") }
            let count = found.reduce(1, *)
            guard count > 0 else { throw wrong("\(name) has the shape \(found): it is empty") }
            try checkWritten(dataset, found, name)
            try checkBytes(dataset, found, name)
            return try [Element](unsafeUninitializedCapacity: count) { buffer, initialized in
                guard
                    H5Dread(
                        dataset,
                        memoryType,
                        kumiai_h5s_all(),
                        kumiai_h5s_all(),
                        hid_t(H5P_DEFAULT),
                        buffer.baseAddress
                    ) >= 0
                else { throw wrong("\(name) cannot be read: it is damaged") }
                initialized = count
            }
        }
    }

    func shape(of dataset: hid_t, _ name: String) throws -> [Int] {
        let space = H5Dget_space(dataset)
        defer { H5Sclose(space) }
        let rank = H5Sget_simple_extent_ndims(space)
        guard (0...8).contains(rank) else { throw wrong("\(name) has \(rank) dimensions; expected 0 to 8") }
        guard H5Sget_simple_extent_type(space) != H5S_NULL else { return [0] }
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

    func withDataset<R>(_ name: String, _ body: (hid_t) throws -> R) throws -> R {
        guard let place = try resolve(name) else { throw wrong("\(name) is missing") }
        let dataset = H5Dopen2(file, place, hid_t(H5P_DEFAULT))
        guard dataset >= 0 else {
            throw wrong(
                """
                \(name) is not a dataset, or was written for a newer HDF5 library than \(Self.version), which is used \
                here
                """
            )
        }
        defer { H5Dclose(dataset) }
        try checkStorage(dataset, name)
        return try body(dataset)
    }

    private static var version: String {
        var (major, minor, release): (UInt32, UInt32, UInt32) = (0, 0, 0)
        H5get_libversion(&major, &minor, &release)
        return "\(major).\(minor).\(release)"
    }

    func withProperties<R>(of dataset: hid_t, _ name: String, _ body: (hid_t) throws -> R) throws -> R {
        let properties = H5Dget_create_plist(dataset)
        guard properties >= 0 else { throw wrong("how \(name) is stored cannot be read") }
        defer { H5Pclose(properties) }
        return try body(properties)
    }
}

private protocol HDF5Element {}
extension Float: HDF5Element {}
extension UInt8: HDF5Element {}
