@testable import Contracts
@testable import Demonstrations
import Foundation
import TestKit

/// Small robomimic files, and a contract that they fit.
package enum Recordings {
    package static let steps = 6

    /// An arm with two joints, 20 steps per second, and an instruction.
    package static func arm(cameras: [Camera] = [], words: Int = 4) -> PolicyConfiguration {
        PolicyConfiguration(
            Contract(
                embodiment: "arm",
                controlHertz: 20,
                instruction: words > 0 ? "language_instruction" : "",
                action: ActionSpace(space: "joints", dimensions: ["a", "b"].map { .init(name: $0, unit: "rad") }),
                state: [StateFeature(key: "eef", unit: "m", mean: [0, 0, 0], std: [1, 1, 1])],
                cameras: cameras
            ),
            patchSide: 4,
            words: words,
            vocabulary: 512,
            width: 8,
            layers: 1,
            heads: 2,
            feedForward: 16,
            chunk: 2
        )
    }

    package static let camera = Camera(key: "front", height: 4, width: 4)

    package static func actions(_ steps: Int = steps) -> [Float] { (0..<2 * steps).map { 0.1 * Float($0 % 7) - 0.35 } }
    /// State values that are different for each `demonstration`.
    package static func eef(_ steps: Int = steps, of demonstration: Int = 0) -> [Float] {
        (0..<3 * steps).map { 0.1 * Float($0 % 11) + 0.05 + 0.001 * Float(demonstration) }
    }
    package static func pixels(_ steps: Int = steps) -> [UInt8] { (0..<steps * 48).map { UInt8($0 % 251) } }

    /// Writes demo_0 and demo_1 for training and demo_2 held out. A test changes the file with `edit`.
    package static func write(
        _ path: String,
        rate: String? = #"{"env_kwargs": {"control_freq": 20}}"#,
        _ edit: (HDF5Writer) -> Void = { _ in }
    ) {
        // The library must be used by one thread at a time.
        DemonstrationFiles.queue.sync {
            let writer = HDF5Writer(path)
            for (index, name) in ["demo_0", "demo_1", "demo_2"].enumerated() {
                writer.floats("/data/\(name)/actions", [steps, 2], actions())
                writer.floats("/data/\(name)/obs/eef", [steps, 3], eef(of: index))
                writer.bytes("/data/\(name)/obs/front", [steps, 4, 4, 3], pixels())
                writer.attribute("language_instruction", of: "/data/\(name)", "push the button")
            }
            if let rate { writer.attribute("env_args", of: "/data", rate) }
            writer.names("/mask/train", ["demo_0", "demo_1"])
            writer.names("/mask/valid", ["demo_2"])
            edit(writer)
        }
    }

    /// Returns the remarks about a valid file, without the remark that it does not name the robot.
    package static func remarks(_ path: String) -> [String] {
        let summary = try? DemonstrationFiles.read(path, split: .train, for: arm()).summary
        return summary?.remarks.filter { !$0.contains("do not name the robot") } ?? ["not read"]
    }

    /// Returns the error of reading a file; `nil` if it can be read.
    package static func problem(
        _ path: String,
        split: Split = .train,
        _ configuration: PolicyConfiguration = arm(),
        declared: DemonstrationFiles.Declaration = .init()
    ) -> String? {
        do {
            _ = try DemonstrationFiles.read(path, split: split, for: configuration, declared: declared)
            return nil
        } catch { return "\(error)" }
    }
}

extension HDF5Writer {
    /// Replaces a demonstration's actions.
    package func replaceActions(
        of name: String,
        _ values: [Float],
        _ storage: Storage = .contiguous,
        fill: Float? = nil
    ) {
        remove("/data/\(name)/actions")
        floats("/data/\(name)/actions", [values.count / 2, 2], values, storage, fill: fill)
    }

    package func replaceState(of name: String, _ values: [Float], _ storage: Storage = .contiguous, fill: Float? = nil)
    {
        remove("/data/\(name)/obs/eef")
        floats("/data/\(name)/obs/eef", [values.count / 3, 3], values, storage, fill: fill)
    }

    package func replaceNames(_ mask: String, _ list: [String]) {
        remove(mask)
        names(mask, list)
    }
}
