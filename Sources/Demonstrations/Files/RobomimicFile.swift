import Contracts
import Tensors

/// robomimic HDF5: `/data/demo_i` with `actions` and `obs/<key>`, `/mask/train` and `/mask/valid`.
enum RobomimicFile {
    static func isOne(_ file: HDF5File) throws -> Bool { try file.exists("/data") }

    static func episodes(of file: HDF5File, _ split: Split) throws -> [Episode] {
        let masks = try RobomimicMasks(file)
        return try masks.names(of: split).map { name in
            let group = "/data/\(name)"
            return Episode(
                file: file,
                name: name,
                object: group,
                actions: "\(group)/actions",
                stateGroup: "\(group)/obs",
                imageGroup: "\(group)/obs"
            )
        }
    }

    /// The number of demonstrations that are held out.
    static func heldOut(_ file: HDF5File) throws -> Int { try RobomimicMasks(file).valid?.count ?? 0 }

    /// The attribute `env_args`, which robosuite writes, contains the rate; `embodiment` is an attribute of Kumiai.
    static func recording(_ file: HDF5File) throws -> Recording {
        Recording(embodiment: try file.attribute("embodiment", of: "/data"), rate: rate(file))
    }

    private static func rate(_ file: HDF5File) -> Recording.Rate {
        let text: String?
        do { text = try file.attribute("env_args", of: "/data") } catch {
            return .unreadable("\(error)".replacing("\(file.path): ", with: ""))
        }
        guard let text else { return .missing("/data has no attribute env_args") }
        let arguments: JSONValue
        do { arguments = try JSONParser.parse(Array(text.utf8)) } catch {
            return .unreadable(
                "the attribute env_args of /data is not JSON (\(error)); NaN and Infinity are not JSON either"
            )
        }
        guard arguments.object != nil else {
            return .unreadable("the attribute env_args of /data is not a JSON object")
        }
        guard let keywords = arguments["env_kwargs"] else { return .missing("env_args of /data has no env_kwargs") }
        guard keywords.object != nil else { return .unreadable("env_kwargs in env_args of /data is not a JSON object") }
        guard let frequency = keywords["control_freq"] else {
            return .missing("env_args of /data has no env_kwargs.control_freq")
        }
        guard let hertz = frequency.double, hertz.isFinite, hertz > 0 else {
            return .unreadable("env_kwargs.control_freq in env_args of /data is not a positive number")
        }
        return .known(hertz)
    }
}

/// The demonstrations in `/mask/train` and `/mask/valid`: each exists and is listed once, in only one of the masks.
struct RobomimicMasks {
    private let path: String
    let train: [String]?
    let valid: [String]?

    init(_ file: HDF5File) throws {
        path = file.path
        train = try Self.names(file, .train)
        valid = try Self.names(file, .valid)
        let problems = try problems(file)
        guard problems.isEmpty else {
            throw ContractError(
                "\(path): \(problems.joined(separator: "; "))",
                hint: "list each demonstration once: in /mask/train, or in /mask/valid to hold it out"
            )
        }
    }

    func names(of split: Split) throws -> [String] {
        guard let names = split == .train ? train : valid else {
            throw ContractError(
                "\(path): \(Self.mask(split)) is missing",
                hint: "it must list the names of the demonstrations to use, for example demo_0"
            )
        }
        guard !names.isEmpty else { throw ContractError("\(path): \(Self.mask(split)) names no demonstrations") }
        return names
    }

    private static func mask(_ split: Split) -> String { "/mask/\(split.rawValue)" }

    private static func names(_ file: HDF5File, _ split: Split) throws -> [String]? {
        guard try file.exists(mask(split)) else { return nil }
        let names = try file.strings(mask(split), atMost: DemonstrationLimits.demonstrations)
        for name in names where name.isEmpty || name.utf8.contains(UInt8(ascii: "/")) || name == "." || name == ".." {
            throw ContractError(
                "\(file.path): \(mask(split)) has \"\(name.prefix(64))\", which is not the name of a demonstration"
            )
        }
        return names
    }

    private func problems(_ file: HDF5File) throws -> [String] {
        var problems: [String] = []
        func add(_ problem: String) { if !problems.contains(problem) { problems.append(problem) } }
        var missing: [String] = []
        // By the address of the actions in the file, because two names can be links to one demonstration.
        var seen: [UInt64: (name: String, split: Split)] = [:]
        for (split, names) in [(Split.train, train ?? []), (.valid, valid ?? [])] {
            for name in names {
                guard let group = try file.address("/data/\(name)") else {
                    missing.append("\(name) of \(Self.mask(split))")
                    continue
                }
                let address = try file.address("/data/\(name)/actions") ?? group
                guard let other = seen.updateValue((name, split), forKey: address) else { continue }
                add(Self.twice(name, split, other.name, other.split))
            }
        }
        if !missing.isEmpty { problems.insert("/data does not have \(Self.list(missing))", at: 0) }
        return problems.count > Self.listed
            ? problems.prefix(Self.listed) + ["and \(problems.count - Self.listed) more"] : problems
    }

    private static func twice(_ name: String, _ split: Split, _ other: String, _ otherSplit: Split) -> String {
        let what = name == other ? name : "\(name), which has the same actions as \(other),"
        return split == otherSplit
            ? "\(what) is listed twice in \(mask(split))"
            : "\(what) is listed in both \(mask(otherSplit)) and \(mask(split))"
    }

    /// The largest number of names in an error.
    private static let listed = 16

    private static func list(_ names: [String]) -> String {
        names.prefix(listed).joined(separator: ", ") + (names.count > listed ? " and \(names.count - listed) more" : "")
    }
}
