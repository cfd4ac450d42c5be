import Contracts
import Policies
import TestKit
import Tensors

/// Policies for tests.
package enum Shapes {
    package static let moves = ActionSpace(
        space: "displacement",
        dimensions: ["x", "y", "z", "gripper"].map { .init(name: $0) }
    )

    /// The configuration of a sample policy.
    package static func example(_ name: String) throws -> PolicyConfiguration {
        try Policy(SafetensorsFile(path: Repository.example("base/\(name).safetensors"))).configuration
    }

    /// A policy that uses the camera and all 39 state values of the sample data.
    package static func both() throws -> PolicyConfiguration {
        var both = try example("image")
        both.contract.state = try example("state").contract.state
        return both
    }

    /// ALOHA's two arms, and two cameras whose images are half as large as the recorded ones.
    package static var aloha: PolicyConfiguration {
        PolicyConfiguration(
            Contract(
                embodiment: "aloha",
                instruction: "",
                action: ActionSpace(
                    space: "joint positions",
                    dimensions: (0..<14).map {
                        .init(name: "joint\($0)", unit: "rad", mean: 0.5, std: 2, minimum: -3, maximum: 3)
                    }
                ),
                state: [
                    StateFeature(
                        key: "qpos",
                        unit: "rad",
                        mean: [Float](repeating: 0, count: 14),
                        std: [Float](repeating: 1, count: 14)
                    )
                ],
                cameras: [Camera(key: "top", height: 12, width: 16), Camera(key: "angle", height: 12, width: 16)]
            ),
            patchSide: 4,
            words: 0,
            width: 16,
            layers: 1,
            heads: 2,
            feedForward: 32,
            chunk: 3
        )
    }

    /// A small policy with all possible inputs.
    package static func small(
        _ objective: Objective,
        state: Int = 5,
        words: Int = 3,
        cameras: [Camera] = [Camera(key: "c", height: 8, width: 12)]
    )
        -> PolicyConfiguration
    {
        let numbers = [Float](repeating: 0, count: state)
        return PolicyConfiguration(
            Contract(
                embodiment: "arm",
                instruction: words > 0 ? "i" : "",
                action: ActionSpace(space: "joints", dimensions: ["a", "b", "c"].map { .init(name: $0) }),
                state: state > 0 ? [StateFeature(key: "s", mean: numbers, std: numbers.map { _ in 1 })] : [],
                cameras: cameras
            ),
            objective: objective,
            patchSide: 4,
            words: words,
            vocabulary: 11,
            width: 12,
            layers: 2,
            heads: 2,
            feedForward: 20,
            chunk: 2
        )
    }
}
