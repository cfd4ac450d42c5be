import Federation
import Foundation

/// The demo's paths and sites.
struct DemoLayout {
    struct Site {
        let id: SiteID
        let task: String
        /// The sample file that is copied to this site.
        let source: String
    }

    static let consortium = "demo.kumiai.example"
    static let base = ModelName("FY2026")!
    static let release = ModelName("FY2027")!
    /// The tasks, in the order in which `--sites` adds them; the last one is hard and needs `--sites 6`.
    private static let tasks = [
        "window-open", "window-close", "drawer-open", "faucet-open", "button-press-topdown", "dial-turn",
    ]
    private static let members = [
        "aizu/kanazawa", "borealis/oulu", "cascadia/tacoma", "danubia/linz", "estrela/porto", "fjordane/bergen",
    ]

    let directory: String
    let examples: String
    let policy: String
    let sites: [Site]

    init(directory: String, examples: String, policy: String, siteCount: Int) throws {
        self.directory = directory
        self.examples = examples
        self.policy = policy
        sites = zip(Self.members, Self.tasks).prefix(siteCount).map { member, task in
            Site(id: SiteID(member)!, task: task, source: "\(examples)/sites/\(task).hdf5")
        }
    }

    var baseModel: String { "\(examples)/base/\(policy).safetensors" }
    var authority: String { "\(directory)/pki" }
    var coordinator: String { "\(directory)/coordinator" }
    var data: String { "\(coordinator)/data" }
    var operatorDirectory: String { "\(directory)/operator" }
    var auditor: String { "\(directory)/auditor" }
    var logs: String { "\(directory)/logs" }
    var releaseDirectory: String { "\(data)/releases/\(Self.release)" }
    func worker(_ site: Site) -> String { "\(directory)/sites/\(site.id.member)-\(site.id.site)" }
    func demonstrations(_ site: Site) -> String { "\(worker(site))/demonstrations.hdf5" }
}

/// The sample data of the repository.
enum DemoData {
    /// Looks in `path` if there is one; otherwise in the working directory and beside the program's build directory.
    static func locate(_ path: String?) throws -> String {
        let manager = FileManager.default
        var candidates = path.map { [$0] } ?? ["Examples/metaworld"]
        if path == nil, let program = try? manager.destinationOfSymbolicLink(atPath: "/proc/self/exe") {
            var folder = URL(fileURLWithPath: program).deletingLastPathComponent()
            for _ in 0..<4 {
                candidates.append(folder.appendingPathComponent("Examples/metaworld").path)
                folder.deleteLastPathComponent()
            }
        }
        guard let found = candidates.first(where: { manager.fileExists(atPath: $0 + "/base/image.safetensors") }) else {
            throw UsageError(
                "found no sample data at \(candidates[0])",
                hint: "run the demo in a clone of the repository, or name Examples/metaworld with --examples"
            )
        }
        return URL(fileURLWithPath: found).path
    }
}
