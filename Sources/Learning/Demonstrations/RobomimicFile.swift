import Tensors

/// robomimic HDF5: `/data/demo_i` with `actions` and `obs/<key>`, `/mask/train` and `/mask/valid`.
enum RobomimicFile {
    static func isOne(_ file: HDF5File) -> Bool { file.exists("/data") }

    static func episodes(of file: HDF5File, _ split: Split) throws -> [Episode] {
        let mask = "/mask/\(split.rawValue)"
        guard file.exists(mask) else {
            throw LearningError("\(file.path): \(mask) is missing", hint: "it lists the names of the demonstrations to use, for example demo_0")
        }
        let names = try file.strings(mask, atMost: DemonstrationLimits.demonstrations)
        guard !names.isEmpty else { throw LearningError("\(file.path): \(mask) names no demonstrations") }
        return try names.map { name in
            guard !name.isEmpty, !name.contains("/"), name != ".", name != ".." else {
                throw LearningError("\(file.path): \"\(name.prefix(64))\" is no name of a demonstration")
            }
            let group = "/data/\(name)"
            return Episode(
                file: file, name: name, object: group, actions: "\(group)/actions", stateGroup: "\(group)/obs", imageGroup: "\(group)/obs")
        }
    }

    /// `env_args` of robosuite has the rate; `embodiment` is ours.
    static func recording(_ file: HDF5File) -> Recording {
        let arguments = (try? file.attribute("env_args", of: "/data")).flatMap { try? JSONParser.parse(Array($0.utf8)) }
        return Recording(
            embodiment: try? file.attribute("embodiment", of: "/data"), controlHertz: arguments?["env_kwargs"]?["control_freq"]?.double)
    }
}
