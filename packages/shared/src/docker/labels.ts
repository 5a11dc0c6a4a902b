/**
 * Labels by which a container's maker tells the runtime what the Docker API has no field for. A real Docker Engine
 * takes no notice of them.
 */

/** The container is a pod's (cri-dockerd's label): what Docker asks of `docker run` alone does not hold for it. */
export const podUidLabel = 'io.kubernetes.pod.uid'

/**
 * Targets of binds, with colons between them, whose sources are parts of volumes and were free of links: if a link has
 * taken a place in one of them by the time of a start, that fails.
 */
export const partOfVolumeLabel = 'annotation.io.dinghy.container.partsOfVolumes'
