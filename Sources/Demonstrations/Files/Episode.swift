/// One demonstration in its file, whatever the file's convention: where each thing that a contract names stands.
struct Episode {
    let file: HDF5File
    /// For people: "demo_3", "episode_3.hdf5".
    let name: String
    /// The object that has the demonstration's attributes.
    let object: String
    let actions: String
    /// Groups of the state's numbers and of the images.
    let stateGroup: String
    let imageGroup: String

    func state(_ key: String) -> String { "\(stateGroup)/\(key)" }
    func images(_ key: String) -> String { "\(imageGroup)/\(key)" }

    /// `nil` where the demonstration does not have it; throws where it is not a text.
    func attribute(_ name: String) throws -> String? { try file.attribute(name, of: object) }
}

/// What a file says of its robot, where it says anything.
struct Recording {
    /// Steps a second.
    enum Rate {
        case said(Double)
        /// With the reason. The site's engineer may say it.
        case unsaid(String)
        /// The file may say another rate than the contract's.
        case unreadable(String)
    }

    var embodiment: String?
    var rate: Rate
}
