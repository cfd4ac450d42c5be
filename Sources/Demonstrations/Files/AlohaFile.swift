/// ALOHA/ACT HDF5 (Zhao 2023): a directory of `episode_<i>.hdf5`, each with `/action`, `/observations/<key>` and
/// `/observations/images/<camera>`.
enum AlohaFile {
    static func isOne(_ file: HDF5File) throws -> Bool { try file.exists("/observations") && file.exists("/action") }

    static func episode(_ file: HDF5File) -> Episode {
        Episode(
            file: file,
            name: file.path.utf8.split(separator: UInt8(ascii: "/")).last.map { String(Substring($0)) } ?? file.path,
            object: "/",
            actions: "/action",
            stateGroup: "/observations",
            imageGroup: "/observations/images"
        )
    }

    static func recording(_ file: HDF5File) throws -> Recording {
        Recording(
            embodiment: try file.attribute("embodiment", of: "/"),
            rate: .missing("ALOHA files do not contain the rate")
        )
    }
}
