import Contracts
import Glibc

/// A directory of files `episode_<i>.hdf5`. The tenth with the highest numbers is held out; at least one file, if there
/// are several.
struct AlohaDirectory {
    /// The files in the order of their numbers.
    private let paths: [String]
    private let path: String

    /// The missing numbers, as ranges.
    let gaps: [String]

    init(_ path: String) throws {
        self.path = path
        let names = try Self.contents(of: path)
        try Self.checkNames(names, path)
        let numbered = names.compactMap { name in Self.number(of: name).map { (name: name, number: $0) } }
            .sorted { ($0.number, $0.name) < ($1.number, $1.name) }
        for (one, next) in zip(numbered, numbered.dropFirst()) where one.number == next.number {
            throw ContractError(
                "\(path): \(one.name) and \(next.name) have the same number",
                hint: "remove one of them, or give it another number"
            )
        }
        gaps = zip(numbered, numbered.dropFirst()).filter { $0.number + 1 < $1.number }.map { one, next in
            next.number - one.number == 2 ? "\(one.number + 1)" : "\(one.number + 1) to \(next.number - 1)"
        }
        paths = numbered.map { "\(path)/\($0.name)" }
        try Self.checkDistinct(paths)
    }

    func paths(of split: Split) throws -> [String] {
        let paths = split == .train ? Array(paths.dropLast(heldOut)) : Array(paths.suffix(heldOut))
        guard !paths.isEmpty else {
            throw ContractError(
                "\(path) has no files for \(split.rawValue)",
                hint: "a directory of ALOHA data contains episode_0.hdf5, episode_1.hdf5, …"
            )
        }
        return paths
    }

    var heldOut: Int { paths.count > 1 ? max(1, paths.count / 10) : 0 }

    private static func number(of name: String) -> Int? {
        guard name.hasPrefix("episode_"), name.hasSuffix(".hdf5") else { return nil }
        let digits = name.dropFirst("episode_".count).dropLast(".hdf5".count)
        return digits.utf8.allSatisfy { (48...57).contains($0) } ? Int(digits) : nil
    }

    /// Refuses HDF5 files with other names, which would otherwise be ignored silently.
    private static func checkNames(_ names: [String], _ path: String) throws {
        let others = names.filter { name in
            number(of: name) == nil && [".hdf5", ".h5", ".hdf"].contains { name.lowercased().hasSuffix($0) }
        }.sorted()
        guard let first = others.first else { return }
        throw ContractError(
            "\(path) contains \(first)" + (others.count > 1 ? " and \(others.count - 1) more files" : "")
                + ", which would not be read",
            hint: "episodes are named episode_0.hdf5, episode_1.hdf5, …: rename the file, or move it away"
        )
    }

    /// Refuses two names of one file: the episode would count twice, or be both trained on and held out.
    private static func checkDistinct(_ paths: [String]) throws {
        struct Place: Hashable { let device: dev_t, file: ino_t }
        var seen: [Place: String] = [:]
        for path in paths {
            var status = stat()
            guard stat(path, &status) == 0 else {
                throw ContractError("\(path) cannot be read: \(String(cString: strerror(errno)))")
            }
            if let other = seen.updateValue(path, forKey: Place(device: status.st_dev, file: status.st_ino)) {
                throw ContractError(
                    "\(other) and \(path) are the same file",
                    hint: "remove the link: each episode counts once"
                )
            }
        }
    }

    private static func contents(of path: String) throws -> [String] {
        guard let directory = opendir(path) else {
            throw ContractError("\(path) cannot be read: \(String(cString: strerror(errno)))")
        }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            guard names.count < DemonstrationLimits.demonstrations else {
                throw ContractError("\(path) has more than \(DemonstrationLimits.demonstrations) files")
            }
            names.append(
                withUnsafePointer(to: &entry.pointee.d_name) {
                    $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
                }
            )
        }
        return names
    }
}
