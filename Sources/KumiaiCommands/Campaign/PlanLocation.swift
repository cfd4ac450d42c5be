import Federation
import Foundation
import Tensors

/// Where `campaign init` writes a plan: plan.toml; if that is an earlier plan, plan-RELEASE.toml or plan-CAMPAIGN.toml
/// beside it.
struct PlanLocation {
    let path: String
    /// Whether the file already exists and contains this plan.
    let isWritten: Bool

    init(in directory: String, for plan: Plan, text: String) throws {
        let names = [PlanFile.name, "plan-\(plan.release).toml", "plan-\(plan.campaign).toml"]
        guard
            let free = try names.map({ "\(directory)/\($0)" }).first(where: {
                try Self.isFree($0, for: plan, text: text)
            })
        else {
            throw UsageError(
                "\(directory)/\(names[2]) already exists and is the plan of another campaign",
                hint: "move it away and try again"
            )
        }
        path = free
        isWritten = FileManager.default.fileExists(atPath: path)
    }

    /// `false` if the file is another campaign's plan. Throws if it is a different plan of the same campaign.
    private static func isFree(_ path: String, for plan: Plan, text: String) throws -> Bool {
        guard let bytes = try? RegularFile.read(path, atMost: TOMLFile<Plan>.maximumBytes) else {
            return !FileManager.default.fileExists(atPath: path)
        }
        if bytes == Array(text.utf8) { return true }
        guard let other = try? PlanFile.load(path), other.release == plan.release, other.campaign == plan.campaign
        else { return false }
        throw UsageError(
            "\(path) already exists and is a different plan for the release \(plan.release)",
            hint: "edit and open that plan, move it away, or name the new campaign with --campaign"
        )
    }
}
