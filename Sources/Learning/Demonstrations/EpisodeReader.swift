/// Reads demonstrations as a contract expects them, and says by name what does not fit.
struct EpisodeReader {
    let c: PolicyConfiguration
    private let declared: DemonstrationFiles.Declaration
    private var set: DemonstrationSet
    private var fit: ContractFit
    private var found = SummaryBuilder()
    private var byteCount = 0
    /// What does not fit in the file itself: said together with what does not fit in its first demonstration.
    private var fileProblems: [String] = []
    /// Demonstrations that the data hold out.
    var heldOut = 0

    init(_ configuration: PolicyConfiguration, _ declared: DemonstrationFiles.Declaration) {
        c = configuration
        self.declared = declared
        set = DemonstrationSet(configuration)
        fit = ContractFit(configuration.contract)
    }

    var contract: Contract { c.contract }

    /// What the file, or the engineer, says of the robot must agree with the contract. What cannot be checked does not agree.
    mutating func check(_ recording: Recording, in file: HDF5File) {
        fileProblems = []
        let embodiment = recording.embodiment.flatMap { $0.isEmpty ? nil : $0 } ?? declared.embodiment
        if !embodiment.isEmpty {
            found.embodiment = embodiment
            if embodiment != contract.embodiment {
                fileProblems.append("embodiment is \(embodiment), the contract is for \(contract.embodiment)")
            }
        }
        switch recording.rate {
        case .said(let hertz): check(hertz, in: "env_args")
        case .unsaid(let reason):
            if declared.controlHertz > 0 {
                check(declared.controlHertz, in: "what was declared")
            } else if contract.controlHertz > 0 {
                fileProblems.append(
                    "\(unchecked): \(reason); where the rate is known, declare control_hz (in worker.toml, or with --control-hz)")
            }
        case .unreadable(let reason):
            if contract.controlHertz > 0 { fileProblems.append("\(unchecked): \(reason)") }
        }
    }

    private var unchecked: String { "whether the data have the contract's \(contract.controlHertz) steps a second cannot be checked" }

    private mutating func check(_ hertz: Double, in place: String) {
        found.controlHertz = hertz
        guard contract.controlHertz > 0, !(abs(hertz - contract.controlHertz) <= 0.01 * contract.controlHertz) else { return }
        fileProblems.append(
            "control_hz is \(hertz) in \(place), the contract has \(contract.controlHertz): resample the demonstrations to that rate")
    }

    mutating func read(_ episode: Episode) throws {
        let checked = try EpisodeCheck(episode, c, declared).run(fileProblems)
        let actions = try values(episode, episode.actions, [checked.length, c.actionCount])
        let states = try contract.state.map { try values(episode, episode.state($0.key), [checked.length, $0.count]) }
        let recorded = try contract.cameras.map {
            try episode.file.bytes(episode.images($0.key), shape: episode.file.shape(episode.images($0.key)))
        }
        try EpisodeCheck.checkSteps(episode, contract, length: checked.length, actions: actions, states: states, images: recorded)
        let images = try zip(contract.cameras, recorded).map { try pixels($0, $1, episode, checked.length) }
        byteCount += images.reduce(0) { $0 + $1.count } + 4 * checked.length * (c.stateCount + c.actionCount * c.chunk + c.words)
        guard byteCount <= DemonstrationLimits.bytes else {
            throw LearningError("\(episode.file.path): more than \(DemonstrationLimits.bytes) bytes of demonstrations")
        }
        fit.note(actions: actions, of: episode.name)
        found.note(checked.instruction)
        set.append(
            Demonstration(
                task: (try? episode.attribute("task")) ?? checked.instruction ?? "unnamed", instruction: checked.instruction ?? "",
                length: checked.length, states: normalised(states, episode, checked.length), images: images,
                actions: try normalised(actions, episode)))
    }

    func finish(_ path: String) throws -> DemonstrationSet {
        guard set.count > 0 else { throw LearningError("\(path) has no demonstrations") }
        try fit.check(path)
        var set = set
        set.summary = found.summary(fit, c, heldOut: heldOut)
        return set
    }

    // MARK: Values

    private func values(_ episode: Episode, _ name: String, _ shape: [Int]) throws -> [Float] {
        let values = try episode.file.float32s(name, shape: shape)
        guard let first = values.firstIndex(where: { !$0.isFinite }) else { return values }
        let count = values.reduce(0) { $0 + ($1.isFinite ? 0 : 1) }
        throw episode.wrong([
            "\(name) has \(count) values that are not finite, the first in step \(first / shape[1]), number \(first % shape[1])"
        ])
    }

    private func normalised(_ actions: [Float], _ episode: Episode) throws -> [Float] {
        var actions = actions
        for index in actions.indices {
            let dimension = contract.action.dimensions[index % c.actionCount]
            actions[index] = (actions[index] - dimension.mean) / dimension.std
            guard actions[index].isFinite else {
                throw episode.wrong([
                    "action \(dimension.name) of step \(index / c.actionCount) is not finite once normalised with "
                        + "mean \(dimension.mean), std \(dimension.std)"
                ])
            }
        }
        return actions
    }

    /// length × stateCount, normalised and clamped.
    private mutating func normalised(_ values: [[Float]], _ episode: Episode, _ length: Int) -> [Float] {
        var states = [Float](repeating: 0, count: length * c.stateCount)
        var column = 0
        for (feature, values) in zip(contract.state, values) {
            fit.note(state: values, feature, column: column, of: episode.name)
            for step in 0..<length {
                let source = max(0, step + feature.offset)
                for index in 0..<feature.count {
                    let value = (values[source * feature.count + index] - feature.mean[index]) / feature.std[index]
                    states[step * c.stateCount + column + index] = max(-StateFeature.clamp, min(StateFeature.clamp, value))
                }
            }
            column += feature.count
        }
        return states
    }

    /// length × height × width × 3, as the contract has them.
    private mutating func pixels(_ camera: Camera, _ bytes: [UInt8], _ episode: Episode, _ length: Int) throws -> [UInt8] {
        let shape = try episode.file.shape(episode.images(camera.key))
        found.note(camera.key, shape, bytes)
        guard let factor = EpisodeCheck.shrink(shape, camera), factor > 1 else { return bytes }
        return ImageShrinking.average(bytes, count: length, to: camera, factor: factor)
    }
}
