import Contracts

/// Collects a summary while demonstrations are read.
struct SummaryBuilder {
    var embodiment: String?
    var controlHertz: Double?
    /// Whether at least one file does not name the robot.
    var robotIsUnnamed = false
    private(set) var demonstrations = 0
    private var steps = 0
    private var images: [DemonstrationSummary.Images] = []
    private var instructions: [String: Int] = [:]

    mutating func addDemonstration(_ instruction: String?, steps: Int) {
        demonstrations += 1
        self.steps += steps
        if let instruction { instructions[instruction, default: 0] += 1 }
    }

    /// - Parameters:
    ///   - camera: The key of the camera.
    ///   - shape: images × height × width × 3.
    ///   - bytes: The images.
    mutating func addImages(_ camera: String, _ shape: [Int], _ bytes: [UInt8]) {
        let (least, largest) = (bytes.min() ?? 0, bytes.max() ?? 0)
        let found = images.firstIndex { $0.camera == camera && $0.height == shape[1] && $0.width == shape[2] }
        guard let found else {
            images.append(
                .init(
                    camera: camera,
                    height: shape[1],
                    width: shape[2],
                    count: shape[0],
                    least: least,
                    largest: largest
                )
            )
            return
        }
        images[found].count += shape[0]
        images[found].least = min(images[found].least, least)
        images[found].largest = max(images[found].largest, largest)
    }

    func summary(_ fit: ContractFit, _ c: PolicyConfiguration, heldOut: Int, _ remarks: Remarks) -> DemonstrationSummary
    {
        var remarks = remarks
        var summary = DemonstrationSummary()
        (summary.embodiment, summary.controlHertz, summary.heldOut) = (embodiment, controlHertz, heldOut)
        (summary.actions, summary.state, summary.images) = (fit.actionSummary, fit.stateSummary, images)
        let sorted = instructions.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
        summary.instructionCount = sorted.count
        var seen: [[Int32]: String] = [:]
        for (text, count) in sorted {
            let ids = Tokenizer.ids(text, count: c.words, vocabulary: c.vocabulary)
            let other = seen[ids]
            if let other {
                remarks.add(.alike, "\"\(Self.short(text))\" and \"\(Self.short(other))\"")
            } else {
                seen[ids] = text
            }
            let signs = Tokenizer.unseenSigns(text)
            if !signs.isEmpty { remarks.add(.unseenSigns, "\(signs) in \"\(Self.short(text))\"") }
            guard summary.instructions.count < DemonstrationLimits.listedInstructions else { continue }
            summary.instructions.append(
                .init(text: Self.short(text), demonstrations: count, alike: other.map(Self.short))
            )
        }
        if robotIsUnnamed { remarks.add(.robotUnnamed) }
        (summary.demonstrations, summary.steps, summary.remarks) = (demonstrations, steps, remarks.lines)
        return summary
    }

    private static func short(_ text: String) -> String { String(text.prefix(256)) }
}
