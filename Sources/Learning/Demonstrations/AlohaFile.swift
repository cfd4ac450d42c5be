/// ALOHA/ACT HDF5 (Zhao 2023): a directory of `episode_<i>.hdf5`, each with `/action`, `/observations/<key>` and
/// `/observations/images/<camera>`.
enum AlohaFile {
    static func isOne(_ file: HDF5File) -> Bool { file.exists("/observations") && file.exists("/action") }

    /// The files of a split: the last tenth by number is for validation, and at least one where there are several.
    static func paths(_ names: [String], _ split: Split) -> [String] {
        let sorted = names.compactMap { name in number(of: name).map { (name, $0) } }.sorted { $0.1 < $1.1 }.map(\.0)
        let valid = sorted.count > 1 ? max(1, sorted.count / 10) : 0
        return split == .train ? Array(sorted.dropLast(valid)) : Array(sorted.suffix(valid))
    }

    private static func number(of name: String) -> Int? {
        guard name.hasPrefix("episode_"), name.hasSuffix(".hdf5") else { return nil }
        return Int(name.dropFirst("episode_".count).dropLast(".hdf5".count))
    }

    static func episode(_ file: HDF5File) -> Episode {
        Episode(
            file: file, name: file.path.split(separator: "/").last.map(String.init) ?? file.path, object: "/", actions: "/action",
            stateGroup: "/observations", imageGroup: "/observations/images")
    }

    static func recording(_ file: HDF5File) -> Recording {
        Recording(embodiment: try? file.attribute("embodiment", of: "/"), controlHertz: nil)
    }
}
