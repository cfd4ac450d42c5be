import Contracts
import Dispatch

/// Which demonstrations of a site: those to learn from, or those held back to see how well it was learned.
public enum Split: String, Sendable { case train, valid }

/// Limits of what is read; README.md lists them.
public enum DemonstrationLimits {
    public static let demonstrations = 100_000
    public static let steps = 1_000_000
    /// Demonstrations are kept in memory: at most this many bytes a site.
    public static let bytes = 8 << 30
    /// Different tasks, and different instructions, that are kept for people.
    public static let listedTasks = 100
    public static let listedInstructions = 100
}

/// A site's demonstrations, in a robomimic file, or in an ALOHA file or directory of them.
public enum DemonstrationFiles {
    /// libhdf5 as Debian builds it is not thread-safe.
    static let queue = DispatchQueue(label: "kumiai.hdf5")

    /// What the site's engineer says of the data, where the files do not.
    public struct Declaration: Equatable, Sendable {
        public var embodiment: String
        public var instruction: String
        /// Steps a second; 0: not said.
        public var controlHertz: Double

        public init(embodiment: String = "", instruction: String = "", controlHertz: Double = 0) {
            self.embodiment = embodiment
            self.instruction = instruction
            self.controlHertz = controlHertz
        }
    }

    /// Reads the demonstrations of a split; throws, with names, where they do not fit the policy's contract.
    public static func read(
        _ path: String,
        split: Split,
        for configuration: PolicyConfiguration,
        declared: Declaration = Declaration()
    ) throws -> DemonstrationSet {
        let set = try inspect(path, split: split, for: configuration, declared: declared)
        if let problem = set.summary.problem { throw problem }
        return set
    }

    /// The same; what does not fit is in the summary of a set without samples. Throws where the files cannot be read at
    /// all.
    public static func inspect(
        _ path: String,
        split: Split,
        for configuration: PolicyConfiguration,
        declared: Declaration = Declaration()
    ) throws -> DemonstrationSet {
        try queue.sync {
            var reader = EpisodeReader(path, configuration, declared)
            switch try DemonstrationPath(path) {
            case .directory:
                let directory = try AlohaDirectory(path)
                for gap in directory.gaps { reader.remark(.numbering, gap) }
                for name in try directory.paths(of: split) { try read(HDF5File(path: name), split, into: &reader) }
                reader.heldOut = directory.heldOut
                guard split == .train, directory.heldOut > 0 else { break }
                for name in try directory.paths(of: .valid) {
                    if let file = try? HDF5File(path: name) { reader.compare(heldOut: AlohaFile.episode(file)) }
                }
            case .file:
                let file = try HDF5File(path: path)
                guard try split == .train || !AlohaFile.isOne(file) else {
                    throw ContractError(
                        "\(path) is one ALOHA episode: nothing is held out",
                        hint: "name the directory of all episodes"
                    )
                }
                try read(file, split, into: &reader)
            }
            return try reader.finish(path)
        }
    }

    private static func read(_ file: HDF5File, _ split: Split, into reader: inout EpisodeReader) throws {
        switch try (RobomimicFile.isOne(file), AlohaFile.isOne(file)) {
        case (true, true):
            throw ContractError(
                "\(file.path) has /data and also /action: it could be read as robomimic and as ALOHA data",
                hint: "keep one of them in a file"
            )
        case (true, false):
            try reader.check(RobomimicFile.recording(file), in: file)
            for episode in try RobomimicFile.episodes(of: file, split) { try reader.read(episode) }
            reader.heldOut = try RobomimicFile.heldOut(file)
            guard split == .train, reader.heldOut > 0 else { return }
            for episode in try RobomimicFile.episodes(of: file, .valid) { reader.compare(heldOut: episode) }
        case (false, true):
            try reader.check(AlohaFile.recording(file), in: file)
            try reader.read(AlohaFile.episode(file))
        case (false, false):
            throw ContractError(
                "\(file.path) is neither robomimic nor ALOHA data",
                hint: "one has /data, the other /observations and /action"
            )
        }
    }
}
