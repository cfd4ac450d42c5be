import Dispatch
import Glibc

/// Which demonstrations of a site: those to learn from, or those held back to see how well it was learned.
public enum Split: String, Sendable { case train, valid }

/// Limits of what is read; README.md lists them.
public enum DemonstrationLimits {
    public static let demonstrations = 100_000
    public static let steps = 1_000_000
    /// Demonstrations are kept in memory: at most this many bytes a site.
    public static let bytes = 8 << 30
}

/// A site's demonstrations, in a robomimic file, or in an ALOHA file or directory of them.
public enum DemonstrationFiles {
    /// libhdf5 as Debian builds it is not thread-safe.
    private static let queue = DispatchQueue(label: "kumiai.hdf5")

    /// What the site's engineer says of the data, where the files do not.
    public struct Declaration: Equatable, Sendable {
        public var embodiment: String
        public var instruction: String

        public init(embodiment: String = "", instruction: String = "") {
            self.embodiment = embodiment
            self.instruction = instruction
        }
    }

    /// Reads the demonstrations of a split; throws, with names, where they do not fit the policy's contract.
    public static func read(
        _ path: String, split: Split, for configuration: PolicyConfiguration, declared: Declaration = Declaration()
    ) throws -> DemonstrationSet {
        try queue.sync {
            var reader = EpisodeReader(configuration, declared)
            if isDirectory(path) {
                let names = AlohaFile.paths(try contents(of: path), split)
                guard !names.isEmpty else {
                    throw LearningError("\(path) has no files for \(split.rawValue)", hint: "a directory of ALOHA data holds episode_0.hdf5, episode_1.hdf5, …")
                }
                for name in names { try read(HDF5File(path: "\(path)/\(name)"), split, into: &reader) }
            } else {
                let file = try HDF5File(path: path)
                guard split == .train || !AlohaFile.isOne(file) else {
                    throw LearningError("\(path) is one ALOHA episode: nothing is held out", hint: "name the directory of all episodes")
                }
                try read(file, split, into: &reader)
            }
            return try reader.finish(path)
        }
    }

    private static func read(_ file: HDF5File, _ split: Split, into reader: inout EpisodeReader) throws {
        if RobomimicFile.isOne(file) {
            try reader.check(RobomimicFile.recording(file), in: file)
            for episode in try RobomimicFile.episodes(of: file, split) { try reader.read(episode) }
        } else if AlohaFile.isOne(file) {
            try reader.check(AlohaFile.recording(file), in: file)
            try reader.read(AlohaFile.episode(file))
        } else {
            throw LearningError("\(file.path) is neither robomimic nor ALOHA data", hint: "one has /data, the other /observations and /action")
        }
    }

    private static func isDirectory(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    private static func contents(of path: String) throws -> [String] {
        guard let directory = opendir(path) else { throw LearningError("\(path) cannot be read") }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            guard names.count < DemonstrationLimits.demonstrations else {
                throw LearningError("\(path) has more than \(DemonstrationLimits.demonstrations) files")
            }
            names.append(withUnsafePointer(to: &entry.pointee.d_name) { $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) } })
        }
        return names
    }
}
