import Contracts
import Dispatch

/// The part of a site's demonstrations: those to train on, or those that are held out for validation.
package enum Split: String, Sendable { case train, valid }

/// Limits for demonstrations; README.md lists them.
package enum DemonstrationLimits {
    package static let demonstrations = 100_000
    package static let steps = 1_000_000
    /// Demonstrations are kept in memory: at most this many bytes per site.
    package static let bytes = 8 << 30
    /// The numbers of different tasks and instructions that a summary lists.
    package static let listedTasks = 100
    package static let listedInstructions = 100
}

/// A site's demonstrations: a robomimic file, an ALOHA file, or a directory of ALOHA files.
package enum DemonstrationFiles {
    /// libhdf5 as Debian builds it is not thread-safe.
    static let queue = DispatchQueue(label: "kumiai.hdf5")

    /// Facts about the data that the site's engineer declares because the files may not contain them.
    package struct Declaration: Equatable, Sendable {
        package var embodiment: String
        package var instruction: String
        /// Steps per second; 0 if not declared.
        package var controlHertz: Double

        package init(embodiment: String = "", instruction: String = "", controlHertz: Double = 0) {
            self.embodiment = embodiment
            self.instruction = instruction
            self.controlHertz = controlHertz
        }
    }

    /// Reads the demonstrations of a split, and checks them against the policy's contract.
    ///
    /// - Throws: `ContractError`, which describes what does not fit or cannot be read.
    package static func read(
        _ path: String,
        split: Split,
        for configuration: PolicyConfiguration,
        declared: Declaration = Declaration()
    ) throws -> DemonstrationSet {
        let set = try inspect(path, split: split, for: configuration, declared: declared)
        if let problem = set.summary.problem { throw problem }
        return set
    }

    /// Like ``read(_:split:for:declared:)``, but if something does not fit, returns a set without samples whose summary
    /// describes the problem.
    ///
    /// - Throws: `ContractError` if the files cannot be read at all.
    package static func inspect(
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
                        hint: "give the directory of all episodes"
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
                hint: "a file must have only one of them"
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
                hint: "robomimic files have /data; ALOHA files have /observations and /action"
            )
        }
    }
}
