/// One demonstration in a file of either convention, with the places of all values that a contract names.
struct Episode {
    let file: HDF5File
    /// The name for messages, for example "demo_3" or "episode_3.hdf5".
    let name: String
    /// The object that has the demonstration's attributes.
    let object: String
    let actions: String
    /// The groups of the state's values and of the images.
    let stateGroup: String
    let imageGroup: String

    func state(_ key: String) -> String { "\(stateGroup)/\(key)" }
    func images(_ key: String) -> String { "\(imageGroup)/\(key)" }

    /// Returns an attribute of the demonstration; `nil` if it has none of this name.
    ///
    /// - Throws: `ContractError` if the attribute is not a text.
    func attribute(_ name: String) throws -> String? { try file.attribute(name, of: object) }
}

/// The robot and the rate that a file names, if it names them.
struct Recording {
    /// Steps per second.
    enum Rate {
        case known(Double)
        /// The file has no rate, for this reason; the site's engineer may declare it.
        case missing(String)
        /// The rate cannot be read, for this reason. It may differ from the contract's, so a declaration does not help.
        case unreadable(String)
    }

    var embodiment: String?
    var rate: Rate
}
