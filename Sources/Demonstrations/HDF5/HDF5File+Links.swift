import CHDF5

/// Names inside a file, which are followed link by link, because the library would silently follow links into other
/// files.
extension HDF5File {
    /// Returns whether there is an object of this name.
    ///
    /// - Throws: `ContractError` if `name` contains a link to another file, or too many links.
    func exists(_ name: String) throws -> Bool { try resolve(name) != nil }

    /// Returns the name of the same object without soft links; `nil` if there is no such object.
    ///
    /// - Throws: `ContractError` if `name` contains a link to another file, or too many links.
    func resolve(_ name: String) throws -> String? {
        var pending = Self.parts(name)
        var done = ""
        var followed = 0
        while !pending.isEmpty {
            let place = "\(done)/\(pending.removeFirst())"
            guard H5Lexists(file, place, hid_t(H5P_DEFAULT)) > 0 else { return nil }
            let link = try link(place)
            switch link.type {
            case H5L_TYPE_HARD:
                done = place
            case H5L_TYPE_SOFT:
                followed += 1
                guard followed <= Self.maximumLinks else {
                    throw wrong("\(name) leads through more than \(Self.maximumLinks) links")
                }
                let target = try target(of: place, byteCount: link.value_size)
                if target.utf8.first == UInt8(ascii: "/") { done = "" }
                pending = Self.parts(target) + pending
            default:
                throw wrong(
                    "\(place) is a link to another file, which is not followed",
                    hint:
                        """
                        copy the linked object into the file, for example with h5py: File.copy(source, dest, \
                        expand_external=True)
                        """
                )
            }
        }
        return done.isEmpty ? "/" : done
    }

    /// Returns the address of an object, which is the same for all its names; `nil` if there is no such object.
    func address(_ name: String) throws -> UInt64? {
        guard let place = try resolve(name) else { return nil }
        return place == "/" ? 0 : try link(place).address
    }

    private func link(_ place: String) throws -> kumiai_h5_link {
        var link = kumiai_h5_link()
        guard kumiai_h5_link_info(file, place, &link) >= 0 else { throw wrong("\(place) cannot be read") }
        return link
    }

    /// Splits a name at each byte that is a slash, as the library does. For Swift, a slash that is followed by a
    /// combining mark is a different character: if names were split by characters, the library would follow links
    /// inside a part that was checked as one name.
    private static func parts(_ name: String) -> [String] {
        name.utf8.split(separator: UInt8(ascii: "/")).map { String(Substring($0)) }.filter { $0 != "." }
    }

    private static let maximumTargetBytes = 4096

    private func target(of place: String, byteCount: Int) throws -> String {
        guard (1...Self.maximumTargetBytes).contains(byteCount) else {
            throw wrong("\(place) is a link of \(byteCount) bytes; expected 1 to \(Self.maximumTargetBytes)")
        }
        var bytes = [UInt8](repeating: 0, count: byteCount)
        guard H5Lget_val(file, place, &bytes, byteCount, hid_t(H5P_DEFAULT)) >= 0 else {
            throw wrong("the link \(place) cannot be read")
        }
        return String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    }
}
