import COpenSSLBaseline
import Federation
import Foundation
import Identity
import Tensors

/// Measures whole rounds: a real coordinator and real workers, each side in its own process, over TLS on loopback; only
/// the training is synthetic. The reference ("floor") is the same bytes, up and down, over bare OpenSSL, hashed once at
/// each end. It writes nothing; a round writes each model and each update at the site, and each update at the
/// coordinator. What the disk takes for the same bytes is therefore measured too ("disk").
struct RoundBenchmark {
    let sites: Int
    let bytes: Int
    /// The first round is not counted, because the sites connect in it.
    static let rounds = 4

    private var name: String { "\(sites)x\(bytes / 1_000_000)mb" }

    static func run() throws -> [String: Double] {
        var values: [String: Double] = [:]
        for (sites, bytes) in [(4, 100_000_000), (10, 100_000_000), (50, 1_000_000)] {
            values.merge(try RoundBenchmark(sites: sites, bytes: bytes).run()) { $1 }
        }
        return values
    }

    private func run() throws -> [String: Double] {
        let consortium = try BenchmarkConsortium(sites: sites, bytes: bytes, rounds: Self.rounds)
        defer { consortium.remove() }
        let coordinator = try consortium.start(
            [consortium.kumiai, "coordinator", "run", "--config", consortium.path("coordinator/coordinator.toml")],
            log: "coordinator"
        )
        defer { coordinator.end() }
        try consortium.openCampaign()
        let workers = try consortium.start(
            [CommandLine.arguments[0], "sites", consortium.folder, "\(consortium.port)", "\(sites)"],
            log: "sites"
        )
        defer { workers.end() }
        var begun: (time: Double, coordinator: Double, workers: Double)?
        let log = try FileHandle(forReadingFrom: URL(fileURLWithPath: consortium.path("coordinator.log")))
        var committed = 0
        while true {
            guard coordinator.isRunning else {
                throw BenchmarkError("the coordinator has ended: \(consortium.log("coordinator").suffix(1000))")
            }
            // Reads only new text: reading the whole log each time would take processor time from what is measured.
            committed +=
                String(decoding: try log.readToEnd() ?? Data(), as: UTF8.self).components(
                    separatedBy: "round committed"
                ).count - 1
            let now = (
                time: Date().timeIntervalSinceReferenceDate, coordinator: coordinator.processorSeconds,
                workers: workers.processorSeconds
            )
            if committed >= 1, begun == nil { begun = now }
            if committed == Self.rounds, let begun {
                let count = Double(Self.rounds - 1)
                let wall = (now.time - begun.time) / count
                let (floor, disk) = (try floor(consortium), try disk(consortium))
                return [
                    "round_\(name)_s": wall, "round_\(name)_floor_s": floor.wall,
                    "round_\(name)_vs_floor": wall / floor.wall, "round_\(name)_disk_s": disk,
                    "round_\(name)_vs_floor_and_disk": wall / (floor.wall + disk),
                    "round_\(name)_coordinator_cpu_s": (now.coordinator - begun.coordinator) / count,
                    "round_\(name)_sites_cpu_s": (now.workers - begun.workers) / count,
                    "round_\(name)_floor_cpu_s": floor.processor,
                    "round_\(name)_coordinator_mib": coordinator.peakMebibytes,
                ]
            }
            usleep(5000)
        }
    }

    private func floor(_ consortium: BenchmarkConsortium) throws -> (wall: Double, processor: Double) {
        let before = Self.ownProcessorSeconds
        let runs = 3
        let wall = Main.median(runs) {
            baseline_transfer(
                consortium.path("site0/certificate.pem"),
                consortium.path("site0/key.pem"),
                consortium.path("site0/ca.pem"),
                Int64(2 * sites * bytes),
                1
            )
        }
        return (wall, (Self.ownProcessorSeconds - before) / Double(runs))
    }

    /// Returns the seconds that it takes to make as many bytes durable in new files as a round does, from two threads.
    private func disk(_ consortium: BenchmarkConsortium) throws -> Double {
        let files = (0..<3 * sites).map { consortium.path("disk-\($0)") }
        defer { for file in files { unlink(file) } }
        let block = [UInt8](repeating: 7, count: 1 << 18)
        return Main.seconds {
            DispatchQueue.concurrentPerform(iterations: 2) { half in
                for file in files[(half * files.count / 2)..<((half + 1) * files.count / 2)] {
                    let descriptor = open(file, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
                    var left = bytes
                    while left > 0 {
                        let count = write(descriptor, block, min(left, block.count))
                        guard count > 0 else { break }
                        left -= count
                    }
                    precondition(left == 0 && fdatasync(descriptor) == 0, "the disk cannot be written")
                    close(descriptor)
                }
            }
        }
    }

    private static var ownProcessorSeconds: Double {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }
        return seconds(usage.ru_utime) + seconds(usage.ru_stime)
    }
}

struct BenchmarkError: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

/// A process whose processor time and memory are measured.
final class MeasuredProcess {
    private let process = Process()

    init(_ arguments: [String], error: FileHandle) throws {
        process.executableURL = URL(fileURLWithPath: arguments[0])
        process.arguments = Array(arguments.dropFirst())
        process.standardOutput = FileHandle.nullDevice
        process.standardError = error
        try process.run()
    }

    var isRunning: Bool { process.isRunning }

    /// Processor seconds of all its threads, user and system.
    var processorSeconds: Double {
        guard let text = try? String(contentsOfFile: "/proc/\(process.processIdentifier)/stat", encoding: .utf8),
            let end = text.lastIndex(of: ")")
        else {
            return 0
        }
        let fields = text[text.index(end, offsetBy: 2)...].split(separator: " ")
        return (Double(fields[11])! + Double(fields[12])!) / Double(sysconf(Int32(_SC_CLK_TCK)))
    }

    var peakMebibytes: Double {
        let text = (try? String(contentsOfFile: "/proc/\(process.processIdentifier)/status", encoding: .utf8)) ?? ""
        let line = text.split(separator: "\n").first { $0.hasPrefix("VmHWM:") }
        return (line?.split(whereSeparator: { $0 == " " || $0 == "\t" }).dropFirst().first.flatMap { Double($0) } ?? 0)
            / 1024
    }

    func end() {
        process.terminate()
        process.waitUntilExit()
    }
}
